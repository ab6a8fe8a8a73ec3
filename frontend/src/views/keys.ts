import { html, nothing, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { ApiKey, NewKey } from "../api/types.js";
import { count, moment, money } from "../format.js";
import { View, field } from "./view.js";

/** API keys: all of them for an administrator, for others their own. */
@customElement("zai-keys")
export class Keys extends View {
  @state() private keys: ApiKey[] | null = null;
  @state() private created: NewKey | null = null;
  @state() private copied = "";
  @state() private baseUrl = "";
  @state() private asked: string | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    void this.run(() => this.load());
  }

  private async load(): Promise<void> {
    const found = await this.api.keys();
    this.keys = found.keys;
    this.baseUrl = found.base_url;
  }

  protected override render(): TemplateResult {
    const { texts } = this;
    return html`${
      this.api.isAdmin
        ? html`<form class="card row" @submit=${(event: SubmitEvent) => this.create(event)}>
            <label>${texts("keys.name")} <input name="name" required maxlength="100" autocomplete="off" /></label>
            <button class="main" ?disabled=${this.busy}>${texts("keys.create")}</button>
            <span class="quiet">${texts("keys.name_hint")}</span>
          </form>`
        : nothing
    }
    ${this.errorLine()} ${this.created ? this.secret(this.created) : nothing}
    ${
      this.keys === null
        ? nothing
        : this.keys.length === 0
          ? html`<div class="card quiet">${texts(this.api.isAdmin ? "keys.empty" : "keys.none_of_yours")}</div>`
          : html`<div class="card scroll" tabindex="0">${this.table(this.keys)}</div>`
    }`;
  }

  private table(keys: ApiKey[]): TemplateResult {
    const { texts, language } = this;
    return html`<table>
      <thead>
        <tr>
          <th scope="col">${texts("keys.name")}</th>
          <th scope="col">${texts("keys.secret")}</th>
          <th scope="col">${texts("keys.last_used")}</th>
          <th scope="col" class="number">${texts("keys.requests_month")}</th>
          <th scope="col" class="number">${texts("keys.cost_month")}</th>
          <th scope="col"><span class="visually-hidden">${texts("keys.actions")}</span></th>
        </tr>
      </thead>
      <tbody>
        ${repeat(
          keys,
          (key) => key.key_id,
          (key) =>
            html`<tr>
              <td>
                ${key.name}${key.user_name ? html`<div class="quiet">${key.user_name}</div>` : nothing}
                ${key.enabled ? nothing : html`<div class="error">${texts("keys.disabled")}</div>`}
              </td>
              <td><code>${key.prefix}…</code></td>
              <td>${key.last_used ? moment(key.last_used, language) : texts("keys.never")}</td>
              <td class="number">${count(key.requests_month, language)}</td>
              <td class="number">${money(key.cost_month, language)}</td>
              <td><div class="row">${this.actions(key)}</div></td>
            </tr>`,
        )}
      </tbody>
    </table>`;
  }

  private actions(key: ApiKey): TemplateResult {
    const { texts } = this;
    if (this.asked === key.key_id)
      return html`<span>${texts("keys.sure", { name: key.name })}</span>
        <button class="danger" @click=${() => this.revoke(key)}>${texts("keys.revoke")}</button>
        <button @click=${() => (this.asked = null)}>${texts("common.cancel")}</button>`;
    return html`<button ?disabled=${this.busy} @click=${() => this.rotate(key)}>${texts("keys.rotate")}</button>
      ${
        this.api.isAdmin
          ? html`<button ?disabled=${this.busy} @click=${() => this.enable(key)}>
              ${texts(key.enabled ? "keys.disable" : "keys.enable")}
            </button>`
          : nothing
      }
      <button class="danger" ?disabled=${this.busy} @click=${() => (this.asked = key.key_id)}>
        ${texts("keys.revoke")}
      </button>`;
  }

  private secret(created: NewKey): TemplateResult {
    const { texts } = this;
    const examples: [string, string][] = [
      [texts("keys.secret"), created.key],
      [texts("keys.base_url"), this.baseUrl],
      ["curl", created.curl],
      ["Python", created.python],
    ];
    return html`<div class="card" role="status">
      <h2>${texts("keys.created", { name: created.name })}</h2>
      <p>${texts("keys.once")}</p>
      ${examples.map(
        ([name, text]) =>
          html`<div class="row spread">
              <b>${name}</b>
              <button aria-label=${texts("keys.copy", { what: name })} @click=${() => this.copy(name, text)}>
                ${texts(this.copied === name ? "common.copied" : "common.copy")}
              </button>
            </div>
            <pre tabindex="0">${text}</pre>`,
      )}
      <button @click=${() => (this.created = null)}>${texts("common.done")}</button>
    </div>`;
  }

  private create(event: SubmitEvent): void {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const name = field(new FormData(form), "name");
    if (!name) return;
    void this.run(async () => {
      this.created = await this.api.createKey(name);
      this.copied = "";
      form.reset();
      await this.load();
    });
  }

  private rotate(key: ApiKey): Promise<void> {
    return this.run(async () => {
      this.created = await this.api.rotateKey(key.key_id);
      this.copied = "";
      await this.load();
    });
  }

  private enable(key: ApiKey): Promise<void> {
    return this.run(async () => {
      await this.api.enableKey(key.key_id, !key.enabled);
      await this.load();
    });
  }

  private revoke(key: ApiKey): Promise<void> {
    this.asked = null;
    return this.run(async () => {
      await this.api.revokeKey(key.key_id);
      await this.load();
    });
  }

  private async copy(name: string, text: string): Promise<void> {
    await copyText(text, this.renderRoot as ShadowRoot);
    this.copied = name;
  }
}

/** Copy a text. Pages over plain HTTP have no `navigator.clipboard`; there the text is selected and copied by the browser. */
async function copyText(text: string, root: ShadowRoot): Promise<void> {
  const clipboard = navigator.clipboard as Clipboard | undefined;
  if (clipboard) return clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  root.append(area);
  area.select();
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- the only way without a secure context
  document.execCommand("copy");
  area.remove();
}
