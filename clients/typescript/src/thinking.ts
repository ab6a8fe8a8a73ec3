// Separates reasoning (`<think>…</think>`) from the answer in a stream of text that may be split anywhere.
//
// Servers that know the model's template send reasoning in a separate field; other servers leave the tags in the text. If a template
// ends the prompt with `<think>`, the text has only the closing tag, so the text before it turns out to be reasoning later.

/** A piece of text, and whether it is reasoning. */
export interface Piece {
  readonly text: string;
  readonly isReasoning: boolean;
}

const TAG = /<(\/?)think(?:ing)?>/i;
const LONGEST = "</thinking>".length;
const BEGUN = ["<think>", "</think>", "<thinking>", "</thinking>"];

/** Splits the text of one message, which arrives in pieces. */
export class ThinkSplitter {
  #held = "";
  #thinking: boolean;
  #afterTag = true;
  #tags = 0;
  #last = "";
  /** Whether the first tag was a closing tag, so that the text before it was reasoning. */
  unopened = false;

  /** `begun`: whether the text begins with reasoning without an opening tag. */
  constructor(begun = false) {
    this.#thinking = begun;
  }

  /** The pieces up to the end of `text`. The last characters are held back if they may begin a tag. */
  feed(text: string): Piece[] {
    const pieces: Piece[] = [];
    let rest = this.#held + text;
    this.#held = "";
    for (let found = TAG.exec(rest); found !== null; found = TAG.exec(rest)) {
      this.#add(pieces, rest.slice(0, found.index));
      const opening = found[1] === "";
      // A quotation mark before the tag shows that the answer mentions the tag.
      if (this.#tags === 0 && !this.#thinking && !opening) this.unopened = !/[`"']$/.test(this.#last);
      this.#tags += 1;
      this.#thinking = opening;
      this.#afterTag = true;
      rest = rest.slice(found.index + found[0].length);
    }
    const begin = rest.lastIndexOf("<");
    const end = rest.slice(begin).toLowerCase();
    if (begin >= 0 && end.length < LONGEST && BEGUN.some((tag) => tag.startsWith(end))) {
      this.#held = rest.slice(begin);
      rest = rest.slice(0, begin);
    }
    this.#add(pieces, rest);
    return pieces;
  }

  /** The text that was held back. Call it at the end of the message. */
  flush(): Piece[] {
    const pieces: Piece[] = [];
    this.#add(pieces, this.#held);
    this.#held = "";
    return pieces;
  }

  #add(pieces: Piece[], given: string): void {
    const text = this.#afterTag ? given.trimStart() : given;
    if (text === "") return;
    this.#afterTag = false;
    this.#last = text.slice(-1);
    pieces.push({ text, isReasoning: this.#thinking });
  }
}

/** The pieces of a complete text. The text before a closing tag without an opening tag is reasoning. */
export function piecesOf(text: string): Piece[] {
  let splitter = new ThinkSplitter();
  const pieces = [...splitter.feed(text), ...splitter.flush()];
  if (!splitter.unopened) return pieces;
  splitter = new ThinkSplitter(true);
  return [...splitter.feed(text), ...splitter.flush()];
}

/** The joined texts of all pieces that are reasoning (`isReasoning`) or answer. */
export const joined = (pieces: readonly Piece[], isReasoning: boolean): string =>
  pieces.flatMap((piece) => (piece.isReasoning === isReasoning ? piece.text : [])).join("");
