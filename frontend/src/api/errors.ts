/** An error of the home; `message` is one sentence for people. */
export class PageError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** One sentence for any error. */
export const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));
