import { LitElement, css, html, nothing, type CSSResultGroup, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { Alias } from "../api/routing.js";
import { button } from "../elements.js";
import { styles } from "../styles.js";
import type { Texts } from "../texts.js";
import { field } from "./view.js";

/** What a card asks for: the changed alias, or to delete it. */
export type AliasChange = CustomEvent<{ alias: Alias } | { remove: string }>;

/** A model alias: what it means now, and its chain, which is ordered by dragging and by keyboard. */
@customElement("zai-alias-card")
export class AliasCard extends LitElement {
  static override styles: CSSResultGroup = [
    styles,
    css`
      ol {
        margin: 8px 0;
        padding: 0;
      }
      li {
        display: flex;
        align-items: center;
        gap: 8px;
        list-style: none;
        padding: 4px 0;
        border-bottom: 1px solid var(--zai-line);
      }
      li + li {
        margin: 0;
      }
      li[draggable="true"] {
        cursor: grab;
      }
      li[data-dragged] {
        opacity: 0.4;
      }
      li span {
        flex: 1;
      }
      form.row {
        align-items: end;
      }
      label {
        max-width: 100%;
      }
      li button {
        min-width: 40px;
        padding: 4px;
      }
    `,
  ];

  @property({ attribute: false }) alias!: Alias;
  @property({ attribute: false }) texts!: Texts;
  /** The names that a chain can contain: models and aliases. */
  @property({ attribute: false }) known: string[] = [];
  @property({ attribute: false }) strategies: string[] = [];
  @property({ type: Boolean }) editable = false;
  @property({ type: Boolean }) busy = false;
  @state() private dragged: string | null = null;
  @state() private moved = "";

  protected override render(): TemplateResult {
    const { alias, texts, editable } = this;
    return html`<section class="card" aria-label=${alias.name}>
      <div class="row spread">
        <h2>${alias.name}</h2>
        ${
          editable && !alias.fixed
            ? button(texts("models.remove", { name: alias.name }), {
                kind: "danger",
                disabled: this.busy,
                press: () => this.send({ remove: alias.name }),
              })
            : nothing
        }
      </div>
      <p>${this.meaning()}</p>
      ${alias.left_out.map((reason) => html`<p class="quiet">${reason}</p>`)}
      <p class="quiet">${texts("models.chain")}</p>
      <ol>
        ${repeat(
          alias.targets,
          (target) => target,
          (target, index) => this.target(target, index),
        )}
      </ol>
      <p class="visually-hidden" role="status">${this.moved}</p>
      ${editable ? this.form() : html`<p class="quiet">${this.strategyInWords()}</p>`}
    </section>`;
  }

  private meaning(): TemplateResult | string {
    const { alias, texts } = this;
    const [first, ...others] = alias.answers;
    if (first === undefined) return html`<span class="error">${alias.error ?? texts("models.nobody")}</span>`;
    const rest = others.map(({ backend, model }) => `${backend} (${model})`).join(", ");
    return `${texts("models.now", { backend: first.backend, model: first.model })}${
      rest ? ` ${texts("models.otherwise", { others: rest })}` : ""
    }`;
  }

  private strategyInWords(): string {
    const { alias, texts } = this;
    return texts(alias.strategy === null ? "models.gateways_strategy" : `strategy_sentences.${alias.strategy}`);
  }

  private target(target: string, index: number): TemplateResult {
    const { texts, editable } = this;
    return html`<li
      draggable=${editable ? "true" : "false"}
      ?data-dragged=${this.dragged === target}
      @dragstart=${() => (this.dragged = target)}
      @dragend=${() => (this.dragged = null)}
      @dragover=${(event: DragEvent) => event.preventDefault()}
      @drop=${() => this.drop(index)}
    >
      <span>${target === "auto" ? texts("models.any") : target}</span>
      ${editable ? this.buttons(target, index) : nothing}
    </li>`;
  }

  private buttons(target: string, index: number): TemplateResult {
    const { texts, alias, busy } = this;
    const last = alias.targets.length - 1;
    return html`<button
        data-move="up"
        ?disabled=${index === 0 || busy}
        aria-label=${texts("providers.up", { name: target })}
        @click=${() => this.move(index, index - 1)}
      >
        ↑
      </button>
      <button
        data-move="down"
        ?disabled=${index === last || busy}
        aria-label=${texts("providers.down", { name: target })}
        @click=${() => this.move(index, index + 1)}
      >
        ↓
      </button>
      <button
        ?disabled=${last === 0 || busy}
        aria-label=${texts("models.leave_out", { name: target })}
        @click=${() => this.change(alias.targets.filter((one) => one !== target))}
      >
        ✕
      </button>`;
  }

  private form(): TemplateResult {
    const { texts, alias } = this;
    return html`<form class="row" @submit=${(event: SubmitEvent) => this.add(event)}>
      <label
        >${texts("models.add_target")}
        <input name="target" list="known" required maxlength="256" autocomplete="off" />
        <datalist id="known">
          ${this.known
            .filter((name) => name !== alias.name && !alias.targets.includes(name))
            .map((name) => html`<option value=${name}></option>`)}
        </datalist>
      </label>
      ${button(texts("models.add"), { disabled: this.busy })}
      <label
        >${texts("models.strategy")}
        <select
          ?disabled=${this.busy}
          @change=${(event: Event) => this.change(alias.targets, (event.target as HTMLSelectElement).value || null)}
        >
          <option value="" ?selected=${alias.strategy === null}>${texts("models.gateways_strategy")}</option>
          ${this.strategies.map(
            (strategy) =>
              html`<option value=${strategy} ?selected=${strategy === alias.strategy}>
                ${texts(`strategy_sentences.${strategy}`)}
              </option>`,
          )}
        </select>
      </label>
    </form>`;
  }

  private add(event: SubmitEvent): void {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const target = field(new FormData(form), "target");
    if (target) this.change([...this.alias.targets, target]);
    form.reset();
  }

  private drop(to: number): void {
    const from = this.alias.targets.indexOf(this.dragged ?? "");
    this.dragged = null;
    if (from >= 0) this.move(from, to);
  }

  private move(from: number, to: number): void {
    const targets = [...this.alias.targets];
    const [moved] = targets.splice(from, 1);
    if (moved === undefined || from === to) return;
    targets.splice(to, 0, moved);
    this.change(targets);
    this.moved = this.texts("models.moved", { name: moved, place: to + 1 });
    void this.keepFocus(to, to < from ? "up" : "down");
  }

  /** The button that moved an entry stays focused, so that it can be pressed again; at the end, the one back is. */
  private async keepFocus(index: number, direction: "up" | "down"): Promise<void> {
    await new Promise((resolve) => this.addEventListener("saved", resolve, { once: true }));
    await this.updateComplete;
    const item = this.renderRoot.querySelectorAll("li")[index];
    const enabled = item?.querySelectorAll<HTMLButtonElement>("button[data-move]:not(:disabled)");
    const wanted = [...(enabled ?? [])].find((button) => button.dataset["move"] === direction);
    (wanted ?? enabled?.[0])?.focus();
  }

  private change(targets: string[], strategy: string | null = this.alias.strategy): void {
    this.send({ alias: { ...this.alias, targets, strategy } });
  }

  private send(detail: AliasChange["detail"]): void {
    this.dispatchEvent(new CustomEvent("change-alias", { detail }));
  }
}
