// Reads a base URL that a person entered or copied.

const URL_FORM = /^(?:(https?):\/\/([^\s?#]+)|((?:[\w.-]+|\[[\da-f:.]+\]):\d{1,5}(?:\/[^\s?#]*)?))$/i;
/** Paths of requests. People copy them together with the base URL. */
const ENDPOINTS = [
  "/chat/completions",
  "/completions",
  "/embeddings",
  "/responses",
  "/messages",
  "/api/chat",
  "/api/generate",
];

/** The base URL for `HOST:PORT`, with or without a scheme and `/v1`; undefined for a name. */
export function baseURLOf(text: string): string | undefined {
  const found = URL_FORM.exec(text.trim());
  if (found === null) return undefined;
  const [host = "", ...rest] = (found[2] ?? found[3] ?? "").split("/");
  let path = `/${rest.join("/")}`.replace(/\/{2,}/g, "/").replace(/\/+$/, "");
  for (const ending of ENDPOINTS) if (path.endsWith(ending)) path = path.slice(0, -ending.length);
  return `${(found[1] ?? "http").toLowerCase()}://${host}${path.replace(/(?:\/v1){2,}$/, "/v1") || "/v1"}`;
}
