// Separates reasoning (`<think>…</think>`) from the answer in a stream of text, wherever the stream is split.
//
// Servers that know the model's template send reasoning in a separate field; others leave the tags in the text. Templates that end
// the prompt with `<think>` leave the closing tag only: what precedes it is known to be reasoning when the tag arrives.

/** A piece of text, and whether it is reasoning. */
export interface Piece {
  readonly text: string;
  readonly isReasoning: boolean;
}

const TAG = /<(\/?)think(?:ing)?>/i;
const LONGEST = "</thinking>".length;
const BEGUN = ["<think>", "</think>", "<thinking>", "</thinking>"];

/** Splits the text of one message, fed piece by piece. */
export class ThinkSplitter {
  #held = "";
  #thinking: boolean;
  #afterTag = true;
  #tags = 0;
  #last = "";
  /** Whether the first tag was a closing one although the text did not begin with reasoning. */
  unopened = false;

  /** `begun`: the text begins with reasoning, without an opening tag. */
  constructor(begun = false) {
    this.#thinking = begun;
  }

  /** The pieces that `text` completes; an end that may be the beginning of a tag is held back. */
  feed(text: string): Piece[] {
    const pieces: Piece[] = [];
    let rest = this.#held + text;
    this.#held = "";
    for (let found = TAG.exec(rest); found !== null; found = TAG.exec(rest)) {
      this.#add(pieces, rest.slice(0, found.index));
      const opening = found[1] === "";
      // After a quotation mark, the text is about the tag.
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

  /** The text held back, at the end of the message. */
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

/** The pieces of a complete text. What precedes a closing tag without an opening one is reasoning. */
export function piecesOf(text: string): Piece[] {
  let splitter = new ThinkSplitter();
  const pieces = [...splitter.feed(text), ...splitter.flush()];
  if (!splitter.unopened) return pieces;
  splitter = new ThinkSplitter(true);
  return [...splitter.feed(text), ...splitter.flush()];
}

/** The texts of pieces of one kind, joined. */
export const joined = (pieces: readonly Piece[], isReasoning: boolean): string =>
  pieces.flatMap((piece) => (piece.isReasoning === isReasoning ? piece.text : [])).join("");
