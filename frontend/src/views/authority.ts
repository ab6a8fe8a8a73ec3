import { css, html, type CSSResultGroup, type TemplateResult } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { Authority } from "../api/keys.js";
import { button, card } from "../elements.js";
import { save } from "./usage-files.js";
import { View } from "./view.js";

const FILE = "zeroconf-ai-ca.pem";
const JOIN = `cat "$(python -m certifi)" ${FILE} > all.pem`;

/** What each kind of program needs to trust the authority. The names have texts; commands are the same in all languages. */
function commands(baseUrl: string): [string, string][] {
  return [
    ["curl", `curl --cacert ${FILE} ${baseUrl}/models`],
    ["node", `export NODE_EXTRA_CA_CERTS="$PWD/${FILE}"`],
    ["python", `${JOIN}\nexport SSL_CERT_FILE="$PWD/all.pem" REQUESTS_CA_BUNDLE="$PWD/all.pem"`],
    [
      "open_webui",
      `${JOIN}\ndocker run -v "$PWD/all.pem:/all.pem:ro" \\\n  -e SSL_CERT_FILE=/all.pem -e REQUESTS_CA_BUNDLE=/all.pem -e AIOHTTP_CLIENT_SESSION_SSL=true …`,
    ],
    ["system", `sudo cp ${FILE} /usr/local/share/ca-certificates/zeroconf-ai.crt\nsudo update-ca-certificates`],
  ];
}

/** The server's certificate authority to download, and what to do with it in programs that know no pin. */
@customElement("zai-authority")
export class AuthorityCard extends View {
  static override styles: CSSResultGroup = [
    View.styles,
    css`
      code {
        overflow-wrap: anywhere;
      }
      pre {
        user-select: all;
      }
    `,
  ];

  @property({ attribute: false }) authority!: Authority;
  @property() baseUrl = "";

  protected override render(): TemplateResult {
    const { texts, authority } = this;
    const content = html`<p>${texts("authority.why")}</p>
      <p>
        ${button(texts("authority.download"), {
          press: () => save(FILE, authority.pem, "application/x-pem-file"),
        })}
      </p>
      <p class="quiet">${texts("authority.fingerprint")} <code>${authority.sha256}</code></p>
      <table>
        <thead>
          <tr>
            <th scope="col">${texts("keys.program")}</th>
            <th scope="col">${texts("authority.command")}</th>
          </tr>
        </thead>
        <tbody>
          ${commands(this.baseUrl).map(
            ([program, command]) =>
              html`<tr>
                <td>${texts(`authority.of_${program}`)}</td>
                <td><pre tabindex="0">${command}</pre></td>
              </tr>`,
          )}
        </tbody>
      </table>`;
    return html`<details>
      <summary>${texts("authority.title")}</summary>
      ${card(content)}
    </details>`;
  }
}
