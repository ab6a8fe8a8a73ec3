import { css, html, nothing, type CSSResultGroup, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import type { DiscoveryCheck } from "../api/finding.js";
import { button } from "../elements.js";
import { count, moment } from "../format.js";
import { View } from "./view.js";

/** "Why is nothing found?": what is seen of multicast DNS on each interface, and what to do about it. */
@customElement("zai-discovery-check")
export class DiscoveryCheckView extends View {
  static override styles: CSSResultGroup = [
    View.styles,
    css`
      ul {
        padding: 0;
        list-style: none;
      }
      li {
        padding-inline-start: 12px;
        border-inline-start: 4px solid var(--zai-quiet);
      }
      li.ok {
        border-color: var(--zai-good);
      }
      td {
        white-space: nowrap;
      }
      li.problem {
        border-color: var(--zai-bad);
      }
    `,
  ];

  @state() private found: DiscoveryCheck | null = null;

  protected override render(): TemplateResult {
    const { texts, found } = this;
    return html`<section class="card" aria-labelledby="title">
      <h2 id="title">${texts("finding.title")}</h2>
      <p class="quiet">${texts("finding.intro")}</p>
      ${button(texts(this.busy ? "finding.checking" : "finding.check"), {
        disabled: this.busy,
        press: () => this.check(),
      })}
      ${this.errorLine()}
      <div role="status">
        ${
          found === null
            ? nothing
            : html`<ul>
                ${found.findings.map(
                  ({ code, level, values }) => html`<li class=${level}>${texts(`finding.${code}`, values)}</li>`,
                )}
              </ul>`
        }
      </div>
      ${found === null ? nothing : this.details(found)}
    </section>`;
  }

  private details({ interfaces, packets }: DiscoveryCheck): TemplateResult {
    const { texts, language } = this;
    const yes = (value: boolean): string => texts(value ? "finding.yes" : "finding.no");
    return html`<details>
      <summary>${texts("finding.details")}</summary>
      <div class="scroll" tabindex="0">
        <table>
          <caption>
            ${texts("finding.interfaces")}
          </caption>
          <thead>
            <tr>
              <th scope="col">${texts("finding.interface")}</th>
              <th scope="col">${texts("finding.addresses")}</th>
              <th scope="col">${texts("finding.sent")}</th>
              <th scope="col">${texts("finding.advertised")}</th>
              <th scope="col" class="number">${texts("finding.hosts")}</th>
              <th scope="col" class="number">${texts("finding.packets")}</th>
            </tr>
          </thead>
          <tbody>
            ${interfaces.map(
              (one) =>
                html`<tr>
                  <td>${one.name}</td>
                  <td>${one.addresses.map((address) => html`<div>${address}</div>`)}</td>
                  <td>${one.error ?? yes(one.sent)}</td>
                  <td>${yes(one.advertised)}</td>
                  <td class="number">${count(one.hosts, language)}</td>
                  <td class="number">${count(one.packets, language)}</td>
                </tr>`,
            )}
          </tbody>
        </table>
      </div>
      ${
        packets.length === 0
          ? nothing
          : html`<div class="scroll" tabindex="0">
              <table>
                <caption>
                  ${texts("finding.last_packets")}
                </caption>
                <thead>
                  <tr>
                    <th scope="col">${texts("finding.when")}</th>
                    <th scope="col">${texts("finding.from")}</th>
                    <th scope="col">${texts("finding.interface")}</th>
                    <th scope="col">${texts("finding.about")}</th>
                  </tr>
                </thead>
                <tbody>
                  ${packets.map(
                    (packet) =>
                      html`<tr>
                        <td>${moment(packet.when, language)}</td>
                        <td>${packet.address}</td>
                        <td>${packet.interface}</td>
                        <td>
                          ${texts(packet.query ? "finding.asks" : "finding.answers", { kinds: packet.kinds.join(", ") })}
                        </td>
                      </tr>`,
                  )}
                </tbody>
              </table>
            </div>`
      }
    </details>`;
  }

  private check(): Promise<void> {
    return this.run(async () => {
      this.found = await this.api.finding.checkDiscovery();
    });
  }
}
