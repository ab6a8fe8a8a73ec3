import { html, nothing, type TemplateResult } from "lit";
import { guard } from "lit/directives/guard.js";
import { Lexer, type Token, type Tokens } from "marked";

type Part = TemplateResult | string | typeof nothing;

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " " };
/** Lists and quotations in each other; more are shown as they were written. */
const DEPTH = 24;
const HEADINGS = [3, 4, 5, 6] as const;

/**
 * The markdown of an answer. This is the only way in which text of others becomes elements: a parser makes tokens of it, and
 * each known token one of the elements below, so no text is ever read as HTML. HTML in it is shown as text; links lead to http
 * and https only; images are not loaded.
 */
export function markdown(text: string): TemplateResult {
  try {
    const tokens = new Lexer({ gfm: true, breaks: true }).lex(text);
    if (depthOf(tokens) <= DEPTH) {
      // While an answer is written, only its end changes. The definition of a link may change what is above it.
      const links = Object.keys(tokens.links).length;
      return html`${tokens.map((token) => guard([token.type, token.raw, links], () => block(token)))}`;
    }
  } catch {
    // The parser has no limit of its own, and its stack has one.
  }
  return html`<p class="plain">${text}</p>`;
}

function depthOf(tokens: Token[], above = 0): number {
  if (above > DEPTH) return above;
  let deepest = above;
  for (const token of tokens) {
    const inner: Token[] | undefined =
      token.type === "list"
        ? (token as Tokens.List).items.flatMap((item) => item.tokens)
        : (token as Tokens.Generic).tokens;
    if (inner) deepest = Math.max(deepest, depthOf(inner, above + 1));
  }
  return deepest;
}

const blocks = (tokens: Token[] | undefined): Part[] => (tokens ?? []).map((token) => block(token));
const inlines = (tokens: Token[] | undefined): Part[] => (tokens ?? []).map((token) => inline(token));

function block(token: Token): Part {
  switch (token.type) {
    case "heading":
      return heading(token as Tokens.Heading);
    case "paragraph":
      return html`<p>${inlines(token.tokens)}</p>`;
    case "text":
      return html`${token.tokens ? inlines(token.tokens) : decoded(token.raw)}`;
    case "code": {
      const { text, lang } = token as Tokens.Code;
      return html`<pre tabindex="0" aria-label=${lang ?? nothing}><code>${text}</code></pre>`;
    }
    case "blockquote":
      return html`<blockquote>${blocks(token.tokens)}</blockquote>`;
    case "list": {
      const { ordered, start, items } = token as Tokens.List;
      const rows = items.map((item) => html`<li>${blocks(item.tokens)}</li>`);
      return ordered
        ? html`<ol start=${start || 1}>
            ${rows}
          </ol>`
        : html`<ul>
            ${rows}
          </ul>`;
    }
    case "checkbox":
      return (token as Tokens.Checkbox).checked ? "☑ " : "☐ ";
    case "table":
      return table(token as Tokens.Table);
    case "hr":
      return html`<hr />`;
    case "space":
    case "def":
      return nothing;
    case "html":
      return html`<p class="plain">${token.raw.trim()}</p>`;
    default:
      return inline(token);
  }
}

function inline(token: Token): Part {
  switch (token.type) {
    case "strong":
      return html`<strong>${inlines(token.tokens)}</strong>`;
    case "em":
      return html`<em>${inlines(token.tokens)}</em>`;
    case "del":
      return html`<del>${inlines(token.tokens)}</del>`;
    case "codespan":
      return html`<code>${(token as Tokens.Codespan).text}</code>`;
    case "br":
      return html`<br />`;
    case "escape":
      return (token as Tokens.Escape).text;
    case "text":
      return token.tokens ? html`${inlines(token.tokens)}` : decoded(token.raw);
    case "link": {
      const { href, tokens } = token as Tokens.Link;
      return link(href, html`${inlines(tokens)}`);
    }
    case "image": {
      const { href, text } = token as Tokens.Image;
      return link(href, text || href);
    }
    case "checkbox":
      return block(token);
    default:
      return token.raw;
  }
}

function heading({ depth, tokens }: Tokens.Heading): TemplateResult {
  const content = inlines(tokens);
  switch (HEADINGS[depth - 1] ?? 6) {
    case 3:
      return html`<h3>${content}</h3>`;
    case 4:
      return html`<h4>${content}</h4>`;
    case 5:
      return html`<h5>${content}</h5>`;
    default:
      return html`<h6>${content}</h6>`;
  }
}

function table({ header, rows }: Tokens.Table): TemplateResult {
  return html`<div class="scroll" tabindex="0">
    <table>
      <thead>
        <tr>
          ${header.map((cell) => html`<th scope="col">${inlines(cell.tokens)}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              ${row.map((cell) => html`<td>${inlines(cell.tokens)}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function link(href: string, content: TemplateResult | string): Part {
  const address = safeAddress(href);
  if (address === null) return html`${content}`;
  return html`<a href=${address} target="_blank" rel="noopener noreferrer nofollow">${content}</a>`;
}

/** The address of a link to another page; null if it is anything but http and https. */
export function safeAddress(href: string): string | null {
  try {
    const { protocol, href: address } = new URL(decoded(href).trim());
    return protocol === "https:" || protocol === "http:" ? address : null;
  } catch {
    return null;
  }
}

/** A text with its character references (`&amp;`, `&#39;`) replaced, as HTML would show them. */
function decoded(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|([a-z]{2,4}));/g, (whole, decimal, hex, name) => {
    if (typeof name === "string") return ENTITIES[name] ?? whole;
    const code = typeof decimal === "string" ? Number(decimal) : parseInt(String(hex), 16);
    return code > 31 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) ? String.fromCodePoint(code) : whole;
  });
}
