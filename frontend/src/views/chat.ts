import { button } from "../elements.js";
import { html, nothing, type CSSResultGroup, type PropertyValues, type TemplateResult } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { ChatApi, ChatEvent, ChatHome, ChatMessage, Choice, Conversation } from "../api/chat.js";
import type { ChatComposer, Draft } from "../chat/composer.js";
import "../chat/composer.js";
import { applied } from "../chat/conversation.js";
import "../chat/list.js";
import "../chat/message.js";
import "../chat/picker.js";
import { layout } from "../chat/layout.js";
import { View } from "./view.js";

const AUTO: Choice = { backend_id: null, model: "auto", tools: true };
/** What the empty screen offers: for a home that models may control, and for any other. */
const IDEAS = {
  home: ["idea_state", "idea_open"],
  any: ["idea_explain", "idea_write"],
  both: ["idea_plan", "idea_help"],
};
/** Pixels from the end within which new text keeps the end in view. */
const NEAR = 80;

/** The least time between two renewals of the addresses of images. */
const RENEWAL_MS = 60_000;

/** The conversation that is shown; kept while another tab of the page is. */
let opened: string | null = null;

/** Conversations with the providers of the home. */
@customElement("zai-chat")
export class ChatView extends View {
  static override styles: CSSResultGroup = [View.styles, layout];

  @state() private home: ChatHome | null = null;
  @state() private conversation: Conversation | null = null;
  @state() private choice: Choice = AUTO;
  @state() private listed = false;
  @state() private retrying = false;
  @state() private retryChoice: Choice = AUTO;
  @state() private said = "";
  @state() private connected = true;
  @query(".messages") private messages!: HTMLElement | null;
  @query("zai-chat-composer") private composer!: ChatComposer;
  private shown = opened;
  private chosen = false;
  private sticks = true;
  private end: (() => void) | undefined;
  private subscription = 0;
  private renewed = 0;

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("visibilitychange", this.seen);
    if (this.hasUpdated) this.follow();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener("visibilitychange", this.seen);
    this.leave();
  }

  /** A browser has six connections to a server for all its tabs together, so a tab in the background uses none. */
  private readonly seen = (): void => {
    if (document.visibilityState === "hidden") this.leave();
    else this.follow();
  };

  protected override firstUpdated(): void {
    this.follow();
  }

  private readonly record = (requestId: string): string => this.api.link(`requests/${encodeURIComponent(requestId)}`);

  private get chat(): ChatApi {
    return this.api.chat;
  }

  /** Follow the conversation that is shown, or only what can be chosen. */
  private follow(): void {
    this.leave();
    const { subscription } = this;
    this.end = this.chat.follow(
      this.shown,
      (event) => {
        if (subscription === this.subscription) this.happened(event);
      },
      (connected) => (this.connected = connected),
    );
  }

  /** Get new addresses of images: they end after some minutes. */
  private renew(): void {
    const now = Date.now();
    if (now - this.renewed < RENEWAL_MS) return;
    this.renewed = now;
    this.follow();
  }

  private leave(): void {
    this.subscription += 1;
    this.end?.();
    this.end = undefined;
  }

  private happened(event: ChatEvent): void {
    if (event.type === "home") {
      this.home = event;
      if (!this.chosen) this.choice = event.choice;
      this.chosen = true;
      return;
    }
    if (event.type === "deleted") {
      this.show(null);
      return;
    }
    if (event.type === "message" && event.message.role === "assistant" && event.message.details.outcome)
      this.announce(event.message);
    this.conversation = applied(this.conversation, event);
  }

  /** Read a complete answer to people who do not see it. */
  private announce({ content, details }: ChatMessage): void {
    if (!details.replaced)
      this.said = `${this.texts("chat.answer_of", { provider: details.backend ?? "" })}: ${details.error ?? content}`;
  }

  private show(id: string | null): void {
    opened = this.shown = id;
    this.conversation = null;
    this.retrying = false;
    this.listed = false;
    this.sticks = true;
    this.said = "";
    this.follow();
    void this.updateComplete.then(() => this.composer.focus());
  }

  protected override willUpdate(): void {
    const box = this.messages;
    if (box) this.sticks = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;
  }

  protected override updated(changed: PropertyValues<this>): void {
    super.updated(changed);
    const box = this.messages;
    if (!box || !this.sticks) return;
    box.scrollTop = box.scrollHeight;
    // Messages render after this element does.
    requestAnimationFrame(() => (box.scrollTop = box.scrollHeight));
  }

  protected override render(): TemplateResult {
    const { texts, home, conversation } = this;
    const running = conversation?.running != null;
    return html`<div class="chat">
      <aside id="conversations" class=${this.listed ? "shown" : ""} aria-label=${texts("chat.conversations")}>
        <zai-chat-list
          .api=${this.chat}
          .texts=${texts}
          .language=${this.language}
          .current=${this.shown ?? ""}
          .running=${home?.running ?? []}
          .revision=${home?.revision ?? 0}
          @open=${(event: CustomEvent<string>) => this.show(event.detail)}
          @removed=${(event: CustomEvent<string>) => {
            if (event.detail === this.shown) this.show(null);
          }}
        ></zai-chat-list>
      </aside>
      <section aria-label=${texts("tabs.chat")}>
        <div class="top">
          <button
            class="toggle"
            aria-expanded=${this.listed ? "true" : "false"}
            aria-controls="conversations"
            @click=${() => (this.listed = !this.listed)}
          >
            ${texts("chat.conversations")}
          </button>
          ${button(texts("chat.new"), { kind: "main", press: () => this.show(null) })}
        </div>
        <div
          class="messages"
          tabindex="0"
          role="log"
          aria-live="off"
          aria-label=${texts("chat.conversation")}
          @stale=${() => this.renew()}
        >
          ${this.shown === null ? this.empty() : this.history(conversation)}
        </div>
        <p class="visually-hidden" role="status" aria-live="polite">${this.said}</p>
        ${this.errorLine()}
        ${this.connected ? nothing : html`<p role="status" class="quiet">${texts("common.reconnecting")}</p>`}
        <zai-chat-picker
          .texts=${texts}
          .home=${home}
          .choice=${this.choice}
          @choice=${(event: CustomEvent<Choice>) => (this.choice = event.detail)}
        ></zai-chat-picker>
        <zai-chat-composer
          .texts=${texts}
          .running=${running}
          .busy=${this.busy}
          .takesImages=${home?.images ?? false}
          @draft=${(event: CustomEvent<Draft>) => void this.send(event.detail)}
          @stop=${() => void this.run(() => this.chat.stop(this.shown ?? ""))}
        ></zai-chat-composer>
      </section>
    </div>`;
  }

  /** What to ask, for a person who has not asked anything. */
  private empty(): TemplateResult {
    const { texts, home } = this;
    const nobody = home !== null && !home.providers.some((one) => one.available);
    if (nobody) return html`<p class="quiet">${texts("chat.nobody")}</p>`;
    const ideas = [...(home?.tools && this.choice.tools ? IDEAS.home : IDEAS.any), ...IDEAS.both];
    return html`<div class="empty">
      <h2>${texts("chat.hello")}</h2>
      <div class="ideas">
        ${ideas.map((name) => {
          const idea = texts(`chat.${name}`);
          return button(idea, { disabled: this.busy, press: () => this.send({ text: idea, images: [] }) });
        })}
      </div>
    </div>`;
  }

  private history(conversation: Conversation | null): TemplateResult {
    const { texts } = this;
    if (conversation === null) return html`<p class="quiet">${texts("common.loading")}</p>`;
    const { messages, running } = conversation;
    return html`${repeat(
      messages,
      (message) => message.id,
      (message) =>
        html`<zai-chat-message
          .api=${this.chat}
          .texts=${texts}
          .language=${this.language}
          .link=${this.record}
          .message=${message}
          .running=${message.id === running}
        ></zai-chat-message>`,
    )}
    ${running === null && messages.length > 0 ? this.again() : nothing}`;
  }

  /** Asks for another answer, by the same or by another model. */
  private again(): TemplateResult {
    const { texts } = this;
    if (!this.retrying)
      return html`<div>
        ${button(texts("chat.retry"), {
          disabled: this.busy,
          press: () => {
            this.retryChoice = this.choice;
            this.retrying = true;
          },
        })}
      </div>`;
    return html`<div class="card">
      <zai-chat-picker
        .texts=${texts}
        .home=${this.home}
        .choice=${this.retryChoice}
        @choice=${(event: CustomEvent<Choice>) => (this.retryChoice = event.detail)}
      ></zai-chat-picker>
      <div class="row above">
        ${button(texts("chat.retry_now"), { kind: "main", disabled: this.busy, press: () => this.retry() })}
        ${button(texts("common.cancel"), { press: () => (this.retrying = false) })}
      </div>
    </div>`;
  }

  private async send({ text, images }: Draft): Promise<void> {
    await this.run(async () => {
      const begins = this.shown === null;
      const id = this.shown ?? (await this.chat.create());
      try {
        const messageId = images.length > 0 ? `up_${crypto.getRandomValues(new Uint32Array(4)).join("_")}` : null;
        if (messageId !== null) for (const image of images) await this.chat.upload(id, messageId, image);
        await this.chat.send(id, text, this.choice, messageId);
      } catch (error) {
        if (begins) await this.chat.remove(id).catch(() => undefined);
        throw error;
      }
      this.composer.clear();
      this.retrying = false;
      this.sticks = true;
      if (begins) this.show(id);
    });
  }

  private retry(): Promise<void> {
    return this.run(async () => {
      await this.chat.retry(this.shown ?? "", this.retryChoice);
      this.choice = this.retryChoice;
      this.retrying = false;
    });
  }
}
