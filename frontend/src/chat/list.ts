import { LitElement, css, html, nothing, type CSSResultGroup, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { ChatApi, ConversationEntry } from "../api/chat.js";
import { sentence } from "../api/errors.js";
import { moment } from "../format.js";
import { button } from "../elements.js";
import { styles } from "../styles.js";
import type { Texts } from "../texts.js";
import { field } from "../views/view.js";

const SEARCH_PAUSE = 250;

/** The person's conversations: searched, opened, renamed, deleted. Dispatches `open` with an id, and `removed` with one. */
@customElement("zai-chat-list")
export class ChatList extends LitElement {
  static override styles: CSSResultGroup = [
    styles,
    css`
      ul {
        list-style: none;
        margin: 12px 0 0;
        padding: 0;
      }
      li {
        border-radius: 8px;
      }
      li + li {
        margin-top: 2px;
      }
      li[data-current] {
        background: color-mix(in srgb, var(--zai-accent) 14%, transparent);
      }
      .entry {
        display: flex;
        align-items: center;
      }
      .open {
        flex: 1;
        min-width: 0;
        text-align: start;
        background: none;
        border: none;
        padding: 8px;
      }
      .title {
        display: block;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .when {
        font-size: 0.8rem;
      }
      .icon {
        border: none;
        background: none;
        padding: 8px;
        min-width: 36px;
        min-height: 36px;
      }
      .asked {
        padding: 8px;
      }
      input {
        width: 100%;
      }
    `,
  ];

  @property({ attribute: false }) api!: ChatApi;
  @property({ attribute: false }) texts!: Texts;
  @property() language = "en";
  /** The id of the conversation that is shown. */
  @property() current = "";
  /** Ids of the conversations in which an answer is being written. */
  @property({ attribute: false }) running: string[] = [];
  /** Changes with the list. */
  @property({ type: Number }) revision = 0;
  @state() private entries: ConversationEntry[] | null = null;
  @state() private next: string | null = null;
  @state() private error = "";
  @state() private renamed: string | null = null;
  @state() private asked: string | null = null;
  private search = "";
  private timer: ReturnType<typeof setTimeout> | undefined;

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.timer);
  }

  protected override updated(changed: PropertyValues<this>): void {
    if (changed.has("revision") || changed.has("api")) void this.load();
  }

  private async load(after: string | null = null): Promise<void> {
    const { search } = this;
    try {
      const found = await this.api.conversations(search, after);
      if (search !== this.search) return; // a newer search is under way
      this.entries = after === null ? found.conversations : [...(this.entries ?? []), ...found.conversations];
      this.next = found.next;
      this.error = "";
    } catch (error) {
      this.error = sentence(error);
    }
  }

  protected override render(): TemplateResult {
    const { texts, entries } = this;
    return html`<label class="wide"
        >${texts("chat.search")}
        <input type="search" maxlength="200" @input=${(event: Event) => this.searched(event)} />
      </label>
      ${this.error ? html`<p class="error" role="alert">${this.error}</p>` : nothing}
      ${entries?.length === 0 ? html`<p class="quiet">${texts(this.search ? "chat.none_found" : "chat.none")}</p>` : nothing}
      <ul>
        ${repeat(
          entries ?? [],
          (entry) => entry.id,
          (entry) => html`<li ?data-current=${entry.id === this.current}>${this.entry(entry)}</li>`,
        )}
      </ul>
      ${
        this.next === null
          ? nothing
          : html`<p class="above">${button(texts("requests.more"), { press: () => this.load(this.next) })}</p>`
      }`;
  }

  private entry(entry: ConversationEntry): TemplateResult {
    const { texts } = this;
    const title = entry.title || texts("chat.untitled");
    if (this.renamed === entry.id)
      return html`<form class="asked" @submit=${(event: SubmitEvent) => this.rename(event, entry)}>
        <label class="wide"
          >${texts("chat.title")} <input name="title" required maxlength="100" .value=${entry.title}
        /></label>
        <div class="row above">
          ${button(texts("chat.save"), { kind: "main" })}
          ${button(texts("common.cancel"), { press: () => (this.renamed = null) })}
        </div>
      </form>`;
    if (this.asked === entry.id)
      return html`<div class="asked">
        <span>${texts("chat.sure", { title })}</span>
        <div class="row above">
          ${button(texts("chat.delete"), { kind: "danger", press: () => this.discard(entry) })}
          ${button(texts("common.cancel"), { press: () => (this.asked = null) })}
        </div>
      </div>`;
    return html`<div class="entry">
      <button
        class="open"
        aria-current=${entry.id === this.current ? "true" : nothing}
        @click=${() => this.dispatchEvent(new CustomEvent("open", { detail: entry.id }))}
      >
        <span class="title">${title}</span>
        <span class="when quiet"
          >${
            entry.running || this.running.includes(entry.id)
              ? texts("chat.answering")
              : moment(entry.last_used, this.language)
          }</span
        >
      </button>
      <button class="icon" aria-label=${texts("chat.rename", { title })} @click=${() => this.edit(entry)}>✎</button>
      <button class="icon" aria-label=${texts("chat.delete_title", { title })} @click=${() => this.ask(entry)}>
        ✕
      </button>
    </div>`;
  }

  private edit(entry: ConversationEntry): void {
    this.asked = null;
    this.renamed = entry.id;
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLInputElement>("input[name=title]")?.select());
  }

  private ask(entry: ConversationEntry): void {
    this.renamed = null;
    this.asked = entry.id;
    void this.updateComplete.then(() =>
      this.renderRoot.querySelector<HTMLElement>(".asked :is(.danger, [variant=danger])")?.focus(),
    );
  }

  private searched(event: Event): void {
    this.search = (event.target as HTMLInputElement).value.trim();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.load(), SEARCH_PAUSE);
  }

  private async rename(event: SubmitEvent, entry: ConversationEntry): Promise<void> {
    event.preventDefault();
    const title = field(new FormData(event.target as HTMLFormElement), "title");
    await this.carryOut(() => this.api.rename(entry.id, title));
    this.renamed = null;
  }

  private async discard(entry: ConversationEntry): Promise<void> {
    if (!(await this.carryOut(() => this.api.remove(entry.id)))) return;
    this.asked = null;
    this.dispatchEvent(new CustomEvent("removed", { detail: entry.id }));
  }

  private async carryOut(action: () => Promise<void>): Promise<boolean> {
    try {
      await action();
      await this.load();
      return true;
    } catch (error) {
      this.error = sentence(error);
      return false;
    }
  }
}
