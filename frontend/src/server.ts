import { LitElement, html, nothing, type CSSResultGroup, type TemplateResult } from "lit";
import { customElement, state } from "lit/decorators.js";
import { PageError, sentence } from "./api/errors.js";
import { ServerApi, currentSession, logIn, logOut, type Session } from "./api/server.js";
import { texts } from "./english.js";
import { frame } from "./frame.js";
import "./page.js";
import { field } from "./views/view.js";

/** Begins the fragment of a link that logs in once, which the server prints. */
const LOGIN = "#login=";

/** The secret of a link that logs in; "" for any other. It is removed from the address, and so from the browser's history. */
function takeLink(): string {
  if (!location.hash.startsWith(LOGIN)) return "";
  const secret = location.hash.slice(LOGIN.length);
  history.replaceState(null, "", location.pathname);
  return secret;
}

/** The session of a link: its own, or the one that runs already if the link was used before. Rejects with a `PageError`. */
async function logInOnce(secret: string): Promise<Session> {
  try {
    return await logIn(secret);
  } catch (error) {
    const running = await currentSession().catch(() => null);
    if (running) return running;
    const used = error instanceof PageError && error.code === "invalid_api_key";
    throw used ? new PageError(error.code, texts("login.link_used")) : error;
  }
}

/** The page of `zeroconf-ai serve`: the form to log in, then the same page as in Home Assistant. */
@customElement("zai-server")
export class Server extends LitElement {
  static override styles: CSSResultGroup = frame;

  @state() private session: Session | null | undefined;
  @state() private error = "";
  @state() private busy = false;
  @state() private tab = "";
  private api: ServerApi | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("hashchange", this.moved);
    this.moved();
    if (this.session === undefined) this.open(currentSession());
  }

  private open(session: Promise<Session | null>): void {
    session.then(
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
    const secret = takeLink();
    if (secret) {
      this.session = null;
      this.open(logInOnce(secret));
    }
    this.tab = location.hash.slice(1);
  };

  private enter(session: Session | null): void {
    this.session = session;
    this.api =
      session === null
        ? undefined
        : new ServerApi(session, () => {
            if (this.session === null) return;
            this.session = null;
            this.error = texts("login.ended");
          });
  }

  protected override render(): TemplateResult {
    const { session } = this;
    return html`<header>
        <h1>ZeroConf AI</h1>
        ${
          session
            ? html`<div class="row">
                <span class="quiet">${session.name}</span>
                <button @click=${() => this.leave()}>${texts("login.out")}</button>
              </div>`
            : nothing
        }
      </header>
      ${session === undefined ? nothing : session === null ? this.form() : this.page()}`;
  }

  private page(): TemplateResult {
    return html`<zai-page .api=${this.api} .texts=${texts} .tab=${this.tab} .narrow=${innerWidth < 600}></zai-page>`;
  }

  private form(): TemplateResult {
    return html`<main>
      <form class="card entrance" @submit=${(event: SubmitEvent) => this.submit(event)}>
        <h2>${texts("login.title")}</h2>
        <p class="quiet" id="hint">${texts("login.hint")}</p>
        <label class="wide"
          >${texts("login.key")}
          <input name="key" type="password" required autocomplete="current-password" aria-describedby="hint" />
        </label>
        ${this.error ? html`<p class="error" role="alert">${this.error}</p>` : nothing}
        <button class="main" ?disabled=${this.busy}>${texts("login.submit")}</button>
      </form>
    </main>`;
  }

  private submit(event: SubmitEvent): void {
    event.preventDefault();
    const key = field(new FormData(event.target as HTMLFormElement), "key");
    this.busy = true;
    this.error = "";
    logIn(key)
      .then(
        (session) => this.enter(session),
        (error: unknown) => (this.error = sentence(error)),
      )
      .finally(() => (this.busy = false));
  }

  private leave(): void {
    this.error = "";
    logOut().then(
      () => this.enter(null),
      (error: unknown) => {
        this.enter(null);
        this.error = sentence(error);
      },
    );
  }
}
