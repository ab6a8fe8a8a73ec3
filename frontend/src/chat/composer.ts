import { LitElement, css, html, nothing, type CSSResultGroup, type TemplateResult } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { button } from "../elements.js";
import { styles } from "../styles.js";
import type { Texts } from "../texts.js";
import { drawn, readImage, type ChosenImage } from "./images.js";

/** What a person wants to send. */
export interface Draft {
  text: string;
  images: File[];
}

const IMAGES = 5;

/** Where a message is written. Dispatches `draft` with a `Draft`, and `stop`. Images are dropped, pasted, or chosen. */
@customElement("zai-chat-composer")
export class ChatComposer extends LitElement {
  static override styles: CSSResultGroup = [
    styles,
    css`
      form {
        border: 1px solid var(--input-outlined-idle-border-color, var(--zai-quiet));
        border-radius: 12px;
        background: var(--zai-surface);
        padding: 8px;
      }
      form.over {
        outline: 2px dashed var(--zai-accent);
      }
      form:has(textarea:focus-visible) {
        outline: 2px solid var(--zai-accent);
      }
      textarea:focus-visible {
        outline: none; /* the frame shows it */
      }
      textarea {
        border: none;
        padding: 8px;
        resize: none;
        max-height: 40vh;
        field-sizing: content;
        background: none;
        display: block;
      }
      .bar-of-buttons {
        display: flex;
        align-items: center;
        justify-content: space-between;
        gap: 8px;
        height: auto;
        background: none;
      }
      ul {
        list-style: none;
        display: flex;
        flex-wrap: wrap;
        gap: 8px;
        margin: 0 0 8px;
        padding: 0;
      }
      li {
        margin: 0 !important;
        display: flex;
        gap: 8px;
        align-items: center;
        border: 1px solid var(--zai-line);
        border-radius: 8px;
        padding: 6px;
        font-size: 0.85rem;
        max-width: 100%;
        overflow-wrap: anywhere;
      }
      canvas {
        max-width: 72px;
        max-height: 56px;
        border-radius: 4px;
      }
      .file input {
        position: absolute;
        width: 1px;
        height: 1px;
        min-height: 0;
        opacity: 0;
      }
      .file {
        flex-direction: row;
        align-items: center;
        border: 1px solid var(--zai-line);
        border-radius: 8px;
        padding: 8px 12px;
        cursor: pointer;
        color: var(--zai-text);
        position: relative;
      }
      .file:focus-within {
        outline: 2px solid var(--zai-accent);
        outline-offset: 2px;
      }
    `,
  ];

  @property({ attribute: false }) texts!: Texts;
  /** Whether an answer is being written. */
  @property({ type: Boolean }) running = false;
  @property({ type: Boolean }) busy = false;
  @property({ type: Boolean }) takesImages = false;
  @state() private images: ChosenImage[] = [];
  @state() private error = "";
  @state() private over = false;
  @query("textarea") private area!: HTMLTextAreaElement;

  protected override render(): TemplateResult {
    const { texts } = this;
    return html`<form
      class=${this.over ? "over" : ""}
      @submit=${(event: SubmitEvent) => this.submit(event)}
      @dragover=${(event: DragEvent) => this.dragged(event)}
      @dragleave=${() => (this.over = false)}
      @drop=${(event: DragEvent) => this.dropped(event)}
    >
      ${
        this.images.length > 0
          ? html`<ul aria-label=${texts("chat.images")}>
              ${this.images.map((image, index) => this.preview(image, index))}
            </ul>`
          : nothing
      }
      <textarea
        rows="2"
        maxlength="32000"
        aria-label=${texts("chat.message")}
        placeholder=${texts("chat.message")}
        @keydown=${(event: KeyboardEvent) => this.pressed(event)}
        @paste=${(event: ClipboardEvent) => this.pasted(event)}
      ></textarea>
      ${this.error ? html`<p class="error" role="alert">${this.error}</p>` : nothing}
      <div class="bar-of-buttons">
        ${
          this.takesImages
            ? html`<label class="file"
                >${texts("chat.add_image")}
                <input
                  type="file"
                  accept="image/png,image/jpeg,image/gif,image/webp"
                  multiple
                  @change=${(event: Event) => this.chosen(event)}
              /></label>`
            : html`<span></span>`
        }
        ${
          this.running
            ? button(texts("chat.stop"), { kind: "danger", press: () => this.dispatchEvent(new CustomEvent("stop")) })
            : button(texts("chat.send"), { kind: "main", disabled: this.busy })
        }
      </div>
    </form>`;
  }

  private preview(image: ChosenImage, index: number): TemplateResult {
    const { texts } = this;
    const size = `${image.width} × ${image.height}`;
    return html`<li>
      <canvas role="img" aria-label=${image.file.name} ${drawn(image)}></canvas>
      <span>${image.file.name}<br /><span class="quiet">${size}</span></span>
      <button
        type="button"
        aria-label=${texts("chat.remove_image", { name: image.file.name })}
        @click=${() => this.drop(index)}
      >
        ✕
      </button>
    </li>`;
  }

  /** Empties it, after the message was sent. */
  clear(): void {
    this.area.value = "";
    this.images = [];
    this.error = "";
  }

  override focus(): void {
    this.area.focus();
  }

  private submit(event: SubmitEvent): void {
    event.preventDefault();
    const text = this.area.value.trim();
    if (this.running || this.busy || (!text && this.images.length === 0)) return;
    const detail: Draft = { text, images: this.images.map((image) => image.file) };
    this.dispatchEvent(new CustomEvent<Draft>("draft", { detail }));
  }

  private pressed(event: KeyboardEvent): void {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    this.area.form?.requestSubmit();
  }

  private dragged(event: DragEvent): void {
    if (!this.takesImages || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    this.over = true;
  }

  private dropped(event: DragEvent): void {
    this.over = false;
    if (!this.takesImages || !event.dataTransfer?.files.length) return;
    event.preventDefault();
    void this.add([...event.dataTransfer.files]);
  }

  private pasted(event: ClipboardEvent): void {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!this.takesImages || files.length === 0) return;
    event.preventDefault();
    void this.add(files);
  }

  private chosen(event: Event): void {
    const input = event.target as HTMLInputElement;
    const files = [...(input.files ?? [])];
    input.value = "";
    void this.add(files);
  }

  private async add(files: File[]): Promise<void> {
    this.error = "";
    for (const file of files) {
      if (this.images.length >= IMAGES) {
        this.error = this.texts("chat.too_many_images", { count: IMAGES });
        return;
      }
      const image = await readImage(file);
      if (image) this.images = [...this.images, image];
      else this.error = this.texts("chat.no_image", { name: file.name });
    }
  }

  private drop(index: number): void {
    this.images = this.images.toSpliced(index, 1);
  }
}
