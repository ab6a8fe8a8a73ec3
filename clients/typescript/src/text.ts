// Cleans untrusted texts from the network: removes control, direction and zero-width characters before they are shown.

const ASCII = /^[ -~]*$/;
/** Characters for which Python's `str.isprintable` is false, and zero-width characters (Default_Ignorable_Code_Point). */
const INVISIBLE =
  // eslint-disable-next-line no-misleading-character-class -- the class lists combining characters on purpose
  /[\p{C}\p{Zl}\p{Zp}\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u180b-\u180f\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/gu;

/** A displayable name of at most `limit` characters. */
export function clean(text: string, limit = 255): string {
  return cut(ASCII.test(text) ? text : text.replace(INVISIBLE, ""), limit).trim();
}

/** A displayable sentence of at most `limit` characters: control, direction and zero-width characters become spaces. */
export function printable(text: string, limit = 500): string {
  return cut(text, limit).replace(INVISIBLE, " ");
}

function cut(text: string, limit: number): string {
  return text.length <= limit
    ? text
    : Array.from(text.slice(0, 2 * limit))
        .slice(0, limit)
        .join("");
}

/** `value` if it is an object, else an empty object. */
export function mapping(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

/** `value` if it is a string, else "". */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** A number from 1 to 10^9, or a string with its decimal digits, as a whole number; undefined for any other value. */
export function countOf(value: unknown): number | undefined {
  const number = typeof value === "string" && /^\d{1,10}$/.test(value) ? Number(value) : value;
  return typeof number === "number" && number >= 1 && number < 1e9 ? Math.trunc(number) : undefined;
}
