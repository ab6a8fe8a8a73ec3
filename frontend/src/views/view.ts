import { LitElement, nothing, type CSSResultGroup, type TemplateResult } from "lit";
import { property, state } from "lit/decorators.js";
import { sentence } from "../api/errors.js";
import type { PageApi } from "../api/page-api.js";
import type { Live } from "../api/types.js";
import { alert } from "../elements.js";
import { styles } from "../styles.js";
import type { Texts } from "../texts.js";

/** What each tab shares: the home, the texts, the live state, and the sentence of the last error. */
export abstract class View extends LitElement {
  static override styles: CSSResultGroup = styles;

  @property({ attribute: false }) api!: PageApi;
  @property({ attribute: false }) texts!: Texts;
  @property({ attribute: false }) live: Live | null = null;
  @property() language = "en";
  @property({ type: Boolean }) narrow = false;

  @state() protected error = "";
  @state() protected busy = false;

  /** Run an action of the person; an error is shown, and nothing else happens meanwhile. */
  protected async run(action: () => Promise<void>): Promise<void> {
    this.busy = true;
    this.error = "";
    try {
      await action();
    } catch (error) {
      this.error = sentence(error);
    } finally {
      this.busy = false;
    }
  }

  protected errorLine(): TemplateResult | typeof nothing {
    return this.error ? alert(this.error) : nothing;
  }
}

/** The text of a field of a form; "" without such a field. */
export function field(form: FormData, name: string): string {
  const value = form.get(name);
  return typeof value === "string" ? value.trim() : "";
}
