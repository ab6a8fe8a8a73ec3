// Texts of the network are untrusted: what is shown has no control, direction or zero-width characters.

const ASCII = /^[ -~]*$/;
/** What Python's `str.isprintable` refuses, and zero-width characters that it accepts (Default_Ignorable_Code_Point). */
const INVISIBLE =
  // eslint-disable-next-line no-misleading-character-class -- combining characters are what it lists
  /[\p{C}\p{Zl}\p{Zp}\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u180b-\u180f\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/gu;

/** A displayable name of at most `limit` characters. */
export function clean(text: string, limit = 255): string {
  return cut(ASCII.test(text) ? text : text.replace(INVISIBLE, ""), limit).trim();
}

/** A displayable sentence: a space for each control, direction or zero-width character. */
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

/** `value` if it is an object, else an empty one. */
export function mapping(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

/** `value` if it is a text, else "". */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** A count: undefined for anything but a whole number from 1 to 10^9 or a text of decimal digits that is one. */
export function countOf(value: unknown): number | undefined {
  const number = typeof value === "string" && /^\d{1,10}$/.test(value) ? Number(value) : value;
  return typeof number === "number" && number >= 1 && number < 1e9 ? Math.trunc(number) : undefined;
}
