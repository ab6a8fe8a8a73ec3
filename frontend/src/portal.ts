import { LitElement, css, html, nothing, type CSSResultGroup, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { sentence } from "./api/errors.js";
import { PORTAL, ServerApi, currentSession, logOut, openIdProvider, type Session } from "./api/server.js";
import { texts } from "./english.js";
import { frame } from "./frame.js";
import "./page.js";

/** What went wrong, in the address to which the server sends the browser back. */
const FAILURES = ["unavailable", "expired", "denied", "invalid", "not_allowed", "busy"] as const;

/** The failure in the address; "" for any other fragment. It is removed from the address: a reload is a new start. */
function takeFailure(): string {
  const failure = FAILURES.find((one) => location.hash === `#${one}`);
  if (failure === undefined) return "";
  history.replaceState(null, "", location.pathname);
  return texts(`portal.${failure}`);
}

/** The portal: people sign in at an OpenID provider, and see and change their own API keys. */
@customElement("zai-portal")
export class Portal extends LitElement {
  static override styles: CSSResultGroup = [
    frame,
    css`
      a.main {
        display: inline-block;
        padding: 8px 16px;
        border-radius: 8px;
        background: var(--zai-link);
        color: var(--zai-surface);
        text-decoration: none;
      }
    `,
  ];

  @state() private session: Session | null | undefined;
  @state() private provider = "";
  @state() private error = "";
  @state() private tab = "";
  private api: ServerApi | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.error = takeFailure();
    addEventListener("hashchange", this.moved);
    this.moved();
    currentSession(PORTAL).then(
      (found) => this.enter(found),
      (error: unknown) => {
        this.enter(null);
        this.error = sentence(error);
      },
    );
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("hashchange", this.moved);
  }

  private readonly moved = (): void => {
    this.tab = location.hash.slice(1) || "keys";
  };

  private enter(session: Session | null): void {
    this.session = session;
    this.api =
      session === null
        ? undefined
        : new ServerApi(
            session,
            () => {
              if (this.session === null) return;
              this.enter(null);
              this.error = texts("portal.ended");
            },
            PORTAL,
          );
    if (session === null && !this.provider)
      openIdProvider().then(
        (found) => (this.provider = found.name),
        (error: unknown) => (this.error ||= sentence(error)),
      );
  }

  protected override render(): TemplateResult {
    const { session } = this;
    return html`<header>
        <h1>ZeroConf AI</h1>
        ${
          session
            ? html`<div class="row">
                <span class="quiet">${session.name}</span>
                <button @click=${() => this.leave()}>${texts("portal.out")}</button>
              </div>`
            : nothing
        }
      </header>
      ${session === undefined ? nothing : session === null ? this.entrance() : this.page(session)}`;
  }

  private page(session: Session): TemplateResult {
    if (session.allowed === false)
      return html`<main>
        <div class="card entrance">
          <h2>${texts("portal.title")}</h2>
          <p class="error" role="alert">${texts("portal.not_allowed")}</p>
        </div>
      </main>`;
    return html`<zai-page .api=${this.api} .texts=${texts} .tab=${this.tab} .narrow=${innerWidth < 600}></zai-page>`;
  }

  private entrance(): TemplateResult {
    const { provider, error } = this;
    return html`<main>
      <div class="card entrance">
        <h2>${texts("portal.title")}</h2>
        <p>${texts("portal.hint")}</p>
        ${error ? html`<p class="error" role="alert">${error}</p>` : nothing}
        <a class="main" href="/portal/login"
          >${provider ? texts("portal.in_with", { provider }) : texts("portal.in")}</a
        >
      </div>
    </main>`;
  }

  private leave(): void {
    this.error = "";
    logOut(PORTAL).then(
      () => this.enter(null),
      (error: unknown) => {
        this.enter(null);
        this.error = sentence(error);
      },
    );
  }
}
