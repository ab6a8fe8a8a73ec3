import { css, html, nothing, type CSSResultGroup, type TemplateResult } from "lit";
import { LitElement } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { ChatHome, Choice, ChoosableModel, ChoosableProvider } from "../api/chat.js";
import { styles } from "../styles.js";
import type { Texts } from "../texts.js";

/** Chooses who answers in two steps: the provider, then its model. Dispatches `choice` with the new choice. */
@customElement("zai-chat-picker")
export class ChatPicker extends LitElement {
  static override styles: CSSResultGroup = [
    styles,
    css`
      label {
        min-width: 0;
        flex: 1 1 120px;
      }
      select {
        width: 100%;
        text-overflow: ellipsis;
      }
      label.check {
        flex: 0 1 auto;
        flex-direction: row;
        align-items: center;
        gap: 8px;
        align-self: end;
        min-height: 40px;
      }
      input {
        min-height: 0;
        width: 20px;
        height: 20px;
        margin: 0;
      }
    `,
  ];

  @property({ attribute: false }) texts!: Texts;
  @property({ attribute: false }) home: ChatHome | null = null;
  @property({ attribute: false }) choice!: Choice;

  protected override render(): TemplateResult {
    const { texts, choice } = this;
    const providers = this.home?.providers ?? [];
    const chosen = providers.find((one) => one.id === choice.backend_id);
    const models = chosen ? chosen.models : distinct(providers);
    const gone = choice.backend_id !== null && !chosen;
    return html`<div class="row">
      <label
        >${texts("chat.provider")}
        <select @change=${(event: Event) => this.chooseProvider(event)}>
          <option value="" ?selected=${choice.backend_id === null}>${texts("chat.auto_provider")}</option>
          ${gone ? html`<option value=${choice.backend_id ?? ""} selected disabled>${texts("chat.gone")}</option>` : nothing}
          ${providers.map(
            (one) =>
              html`<option value=${one.id} ?selected=${one.id === choice.backend_id} ?disabled=${!one.available}>
                ${this.described(one)}
              </option>`,
          )}
        </select>
      </label>
      <label
        >${texts("requests.model")}
        <select @change=${(event: Event) => this.chooseModel(event)}>
          <option value="auto" ?selected=${choice.model === "auto"}>${texts("chat.auto_model")}</option>
          ${
            choice.model !== "auto" && !models.some((model) => model.id === choice.model)
              ? html`<option value=${choice.model} selected>${choice.model}</option>`
              : nothing
          }
          ${models.map(
            (model) =>
              html`<option value=${model.id} ?selected=${model.id === choice.model}>
                ${model.id}${model.warm === null ? "" : ` (${texts(model.warm ? "providers.warm" : "chat.cold")})`}
              </option>`,
          )}
        </select>
      </label>
      ${
        this.home?.tools
          ? html`<label class="check">
              <input
                type="checkbox"
                .checked=${choice.tools}
                @change=${(event: Event) => this.choose({ tools: (event.target as HTMLInputElement).checked })}
              />
              ${texts("chat.tools")}
            </label>`
          : nothing
      }
    </div>`;
  }

  /** Such as "Attic (Online, 1 / 4)". */
  private described({ name, state, known, available, running, limit }: ChoosableProvider): string {
    const words = this.texts(`states.${known ? state : "unknown"}`);
    const used = limit === null ? (running > 0 ? `${running}` : "") : `${running} / ${limit}`;
    return `${name} (${[words, available && used ? this.texts("chat.used", { used }) : ""].filter(Boolean).join(", ")})`;
  }

  private chooseProvider(event: Event): void {
    const id = (event.target as HTMLSelectElement).value || null;
    const provider = this.home?.providers.find((one) => one.id === id);
    const keeps = provider?.models.some((model) => model.id === this.choice.model) ?? id === null;
    this.choose({ backend_id: id, model: keeps ? this.choice.model : "auto" });
  }

  private chooseModel(event: Event): void {
    this.choose({ model: (event.target as HTMLSelectElement).value });
  }

  private choose(change: Partial<Choice>): void {
    this.dispatchEvent(new CustomEvent<Choice>("choice", { detail: { ...this.choice, ...change } }));
  }
}

/** The models of all providers that answer, each once; warm if one of them has it loaded. */
function distinct(providers: ChoosableProvider[]): ChoosableModel[] {
  const found = new Map<string, ChoosableModel>();
  for (const model of providers.filter((one) => one.available && one.kind === "backend").flatMap((one) => one.models)) {
    const known = found.get(model.id);
    if (!known || (model.warm && !known.warm)) found.set(model.id, model);
  }
  return [...found.values()].sort((a, b) => a.id.localeCompare(b.id));
}
