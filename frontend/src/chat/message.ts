import { LitElement, css, html, nothing, type CSSResultGroup, type TemplateResult } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { ChatApi, ChatDetails, ChatMessage, ToolCall } from "../api/chat.js";
import { count, duration, money } from "../format.js";
import { styles } from "../styles.js";
import type { Texts } from "../texts.js";
import "./entities.js";
import { markdown } from "./markdown.js";
import { markdownStyles } from "./markdown-styles.js";

/**
 * A message of a conversation: what a person wrote, an answer with its details, or a notice. Dispatches `stale` if the address of
 * an image has expired.
 */
@customElement("zai-chat-message")
export class ChatMessageElement extends LitElement {
  static override styles: CSSResultGroup = [
    styles,
    markdownStyles,
    css`
      :host {
        display: block;
        overflow-wrap: anywhere;
      }
      .user {
        margin-inline-start: auto;
        width: fit-content;
        max-width: 85%;
        padding: 10px 14px;
        border-radius: 16px 16px 4px 16px;
        background: color-mix(in srgb, var(--zai-accent) 16%, var(--zai-surface));
        white-space: pre-wrap;
      }
      .images {
        display: flex;
        flex-wrap: wrap;
        gap: 8px;
        justify-content: flex-end;
        margin-bottom: 8px;
      }
      img {
        max-width: min(320px, 100%);
        max-height: 240px;
        width: auto;
        height: auto;
        border-radius: 12px;
        display: block;
      }
      .notice {
        display: flex;
        align-items: center;
        gap: 12px;
        font-size: 0.9rem;
        text-align: center;
      }
      .notice::before,
      .notice::after {
        content: "";
        flex: 1;
        border-top: 1px solid var(--zai-line);
      }
      details {
        margin: 0 0 8px;
      }
      summary {
        cursor: pointer;
        color: var(--zai-quiet);
        font-size: 0.9rem;
        width: fit-content;
      }
      .thinking {
        white-space: pre-wrap;
        color: var(--zai-quiet);
        border-inline-start: 3px solid var(--zai-line);
        padding-inline-start: 12px;
        margin: 8px 0;
        font-size: 0.95rem;
      }
      .facts {
        font-size: 0.85rem;
        margin-top: 8px;
      }
      .facts ul {
        margin: 4px 0;
        padding-inline-start: 20px;
      }
      .error {
        margin: 8px 0 0;
      }
      pre {
        white-space: pre-wrap;
      }
    `,
  ];

  @property({ attribute: false }) api!: ChatApi;
  @property({ attribute: false }) texts!: Texts;
  @property({ attribute: false }) message!: ChatMessage;
  @property() language = "en";
  /** The address of the record of a request. */
  @property({ attribute: false }) link!: (requestId: string) => string;
  /** Whether it is being written. */
  @property({ type: Boolean }) running = false;

  protected override render(): TemplateResult {
    const { message, texts } = this;
    switch (message.role) {
      case "user":
        return html`<article aria-label=${texts("chat.you")}>
          ${this.images()}${message.content ? html`<div class="user" dir="auto">${message.content}</div>` : nothing}
        </article>`;
      case "notice": {
        const { origin, target } = message.details;
        const known = origin !== undefined && target !== undefined;
        return html`<p class="notice quiet">
          ${known ? texts("chat.switched", { from: origin, to: target }) : message.content}
        </p>`;
      }
      case "assistant":
        return message.details.replaced
          ? html`<details>
              <summary>${texts("chat.former", { provider: message.details.backend ?? "" })}</summary>
              ${this.answer(message)}
            </details>`
          : this.answer(message);
    }
  }

  private images(): TemplateResult | typeof nothing {
    const { images } = this.message;
    if (images.length === 0) return nothing;
    return html`<div class="images">
      ${images.map(
        (image) =>
          html`<img
            src=${image.url}
            width=${image.width}
            height=${image.height}
            alt=${this.texts("chat.image", { width: image.width, height: image.height })}
            loading="lazy"
            @error=${() => this.dispatchEvent(new CustomEvent("stale", { bubbles: true, composed: true }))}
          />`,
      )}
    </div>`;
  }

  private answer(message: ChatMessage): TemplateResult {
    const { texts, running } = this;
    const { details, content } = message;
    const silent = running && !content && !details.tools?.length;
    return html`<article
      aria-label=${texts("chat.answer_of", { provider: details.backend ?? "…" })}
      aria-busy=${running}
    >
      ${details.thinking ? this.thinking(details.thinking) : nothing}
      ${details.tools?.map((tool) => this.tool(tool)) ?? nothing}
      ${content ? html`<div class="markdown" dir="auto">${markdown(content)}</div>` : nothing}
      ${
        silent
          ? html`<p class="quiet">
              ${details.backend ? texts("chat.writing", { provider: details.backend }) : texts("chat.asking")}
            </p>`
          : nothing
      }
      ${details.error ? html`<p class="error">${details.error}</p>` : nothing}
      ${details.outcome === "stopped" && !details.error ? html`<p class="quiet">${texts("chat.stopped")}</p>` : nothing}
      ${running ? nothing : this.facts(details)}
    </article>`;
  }

  private thinking(text: string): TemplateResult {
    const busy = this.running && !this.message.content;
    return html`<details>
      <summary>${this.texts(busy ? "chat.thinks" : "chat.thinking")}</summary>
      <div class="thinking" dir="auto">${text}</div>
    </details>`;
  }

  private tool(tool: ToolCall): TemplateResult {
    const { texts } = this;
    const state = tool.result === null ? "chat.tool_runs" : tool.error ? "chat.tool_failed" : "chat.tool_done";
    return html`<details>
        <summary>${texts(state, { name: tool.name.split("__").at(-1) ?? "" })}</summary>
        <pre tabindex="0">${tool.arguments}</pre>
        ${tool.result === null ? nothing : html`<pre tabindex="0">${tool.result}</pre>`}
      </details>
      ${
        tool.entities.length > 0
          ? html`<zai-chat-entities .api=${this.api} .ids=${tool.entities}></zai-chat-entities>`
          : nothing
      }`;
  }

  /** Who answered, how fast, and at what cost; failed attempts with their reasons. */
  private facts(details: ChatDetails): TemplateResult | typeof nothing {
    const { texts, language } = this;
    const facts = [
      details.backend ?? "",
      details.model === details.backend ? "" : (details.model ?? ""),
      details.tokens_completion === undefined
        ? ""
        : texts("chat.tokens", {
            prompt: count(details.tokens_prompt ?? 0, language),
            answer: count(details.tokens_completion, language),
          }) + (details.estimated ? ` (${texts("chat.estimated")})` : ""),
      details.tokens_per_second ? texts("chat.speed", { speed: count(details.tokens_per_second, language) }) : "",
      details.first_token_ms == null
        ? ""
        : texts("chat.first_token", { time: duration(details.first_token_ms, language) }),
      details.cost
        ? money(details.cost, language) || texts("costs.free")
        : details.cost === null
          ? texts("costs.unknown")
          : "",
    ].filter(Boolean);
    const attempts = details.attempts ?? [];
    if (facts.length === 0 && attempts.length === 0) return nothing;
    return html`<div class="facts quiet">
      <span>${facts.join(" · ")}</span>
      ${
        attempts.length > 0
          ? html`<div>${texts("requests.failed_attempts")}:</div>
              <ul>
                ${attempts.map(
                  (one) =>
                    html`<li>
                      ${texts("requests.failed_attempt", { provider: one.backend, model: one.model, reason: one.reason })}
                    </li>`,
                )}
              </ul>`
          : nothing
      }
      ${
        details.generation_ids?.length
          ? html`<details>
              <summary>${texts("requests.id")}</summary>
              ${details.generation_ids.map((id) => html`<div><a href=${this.link(id)}>${id}</a></div>`)}
            </details>`
          : nothing
      }
    </div>`;
  }
}
