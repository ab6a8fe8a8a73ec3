// The household token: providers and clients that know one generated passphrase need no API key (docs/protocol.md, section 4).

import { createDecipheriv, createHash, scrypt } from "node:crypto";

import { isGenerated } from "./key-proof.ts";
import type { ServiceRecord } from "./record.ts";

const PERIOD_SECONDS = 3600;
const OVERLAP_SECONDS = 600;
/** The hours of the last week are tried, to tell an old advertisement from another household's. */
const PAST_PERIODS = 7 * 24;

const DEFAULT_NAME = "home";
const MAX_NAME = 32;
const MAX_CODE = 200;
const NAME = /^[\p{L}\p{N}_](?:[\p{L}\p{N}_ .'-]*[\p{L}\p{N}_])?$/u;
/** Crockford's base32. */
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";
/** White space and hyphens, also the dashes that editors and messengers put in their place. */
const SEPARATORS = /[\s\u2010-\u2015\u2212-]/gu;
/** Characters without a width, which are copied with a text. */
const WIDTHLESS = /[\u200b-\u200f\u2060\ufeff]/gu;
/** White space and quotation marks around a text. */
const QUOTED = /^[\s"'`\u2018-\u201f]+|[\s"'`\u2018-\u201f]+$/gu;
const RANDOM_CHARACTERS = 26;
const CHECK_CHARACTERS = 2;
const CHECK_CONTEXT = "zai-household-check";

const SCRYPT = { N: 2 ** 17, r: 8, p: 1, maxmem: 192 * 1024 * 1024 };
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const EXPIRY_BYTES = 8;
const TOKEN_CHARACTERS = 36;
const SEALED_BYTES = NONCE_BYTES + EXPIRY_BYTES + TOKEN_CHARACTERS + TAG_BYTES;

/** Why a token cannot be used. `wrong`: another household's, or damaged. `old`: its hour is over. */
export class SealError extends Error {
  readonly kind: "wrong" | "old";

  constructor(kind: "wrong" | "old", hours = 0) {
    super(
      kind === "wrong"
        ? "it belongs to another household: the household code is not the same on both sides"
        : `its household token is ${hours} h old: the clock of one of the two machines is wrong, or an old advertisement is being repeated`,
    );
    this.kind = kind;
  }
}

/** The name and the passphrase in a household code, such as `home:1a2b-3c4d-…`. Throws TypeError for any text that was not generated. */
export function parseCode(text: string): { name: string; passphrase: string } {
  if (Array.from(text).length > MAX_CODE) throw new TypeError("The household code is too long");
  const parts = text.replace(WIDTHLESS, "").replace(QUOTED, "").replaceAll("\uff1a", ":").split(":");
  const passphrase = (parts.pop() ?? "")
    .normalize("NFKC")
    .replace(SEPARATORS, "")
    .toLowerCase()
    .replace(/[oil]/g, (letter) => (letter === "o" ? "0" : "1"));
  if (
    passphrase.length !== RANDOM_CHARACTERS + CHECK_CHARACTERS ||
    Array.from(passphrase).some((letter) => !ALPHABET.includes(letter))
  )
    throw new TypeError("The household code is not a generated one: make one with `zeroconf-ai household`");
  const random = passphrase.slice(0, RANDOM_CHARACTERS);
  const digest = createHash("sha256").update(CHECK_CONTEXT).update(random).digest();
  const check = [...digest.subarray(0, CHECK_CHARACTERS)].map((byte) => ALPHABET[byte % ALPHABET.length]).join("");
  if (passphrase.slice(RANDOM_CHARACTERS) !== check)
    throw new TypeError("A character of the household code is wrong or missing");
  const name = Array.from((parts.length > 0 ? parts.join(":") : DEFAULT_NAME).normalize("NFC"), folded)
    .join("")
    .split(/\s+/u)
    .filter(Boolean)
    .join(" ");
  if (!NAME.test(name) || Array.from(name).length > MAX_NAME)
    throw new TypeError(`The name in the household code must have 1 to ${MAX_NAME} letters and digits`);
  return { name, passphrase };
}

/** A character after Unicode's case folding, which JavaScript lacks: two letters that differ in case only become the same. */
function folded(letter: string): string {
  if (letter === "ı") return letter;
  const upper = letter.toLowerCase().toUpperCase();
  return /\p{Script=Cherokee}/u.test(letter) ? upper : upper.toLowerCase();
}

/** Opens tokens with the key of a household. Neither `console.log` nor JSON shows the key; the passphrase is not kept. */
export class Household {
  readonly #key: Buffer;
  readonly #now: () => number;

  private constructor(key: Buffer, now: () => number) {
    this.#key = key;
    this.#now = now;
  }

  /** Takes about 0.3 s and 128 MiB. `now`: seconds since the epoch. Throws TypeError for a text that is no code. */
  static async of(code: string, now = () => Date.now() / 1000): Promise<Household> {
    const { name, passphrase } = parseCode(code);
    const key = await new Promise<Buffer>((resolve, reject) => {
      scrypt(passphrase, `zai-household-1${name}`, KEY_BYTES, SCRYPT, (error, derived) => {
        if (error) reject(error);
        else resolve(derived);
      });
    });
    return new Household(key, now);
  }

  /** Whether a provider needs a key and advertises a household token, this household's or another's. */
  applies(record: ServiceRecord): boolean {
    return record.auth === "token" && record.sealedToken !== undefined && !record.idDerived;
  }

  /** The token in an advertisement. Throws SealError. */
  token(record: ServiceRecord): string {
    return this.open(record.sealedToken ?? "", record.id);
  }

  /** Whether the token in an advertisement can be used now. */
  opens(record: ServiceRecord): boolean {
    try {
      return this.applies(record) && this.token(record) !== "";
    } catch (error) {
      if (error instanceof SealError) return false;
      throw error;
    }
  }

  /** The token in the TXT value `tok` of a provider. Throws SealError. */
  open(sealed: string, providerId: string): string {
    const raw = Buffer.from(sealed, "base64url");
    if (raw.length !== SEALED_BYTES || raw.toString("base64url") !== sealed) throw new SealError("wrong");
    const current = Math.floor(this.#now() / PERIOD_SECONDS);
    for (const period of periods(current)) {
      const payload = this.#decrypt(raw, providerId, period);
      if (payload === undefined) continue;
      const expires = Number(payload.readBigUInt64BE());
      const token = payload.subarray(EXPIRY_BYTES).toString("latin1");
      if (!isGenerated(token) || expires > (period + 1) * PERIOD_SECONDS + OVERLAP_SECONDS)
        throw new SealError("wrong");
      if (this.#now() >= expires) throw new SealError("old", current - period);
      return token;
    }
    throw new SealError("wrong");
  }

  /** The payload; undefined if another key, id or hour sealed it. */
  #decrypt(raw: Buffer, providerId: string, period: number): Buffer | undefined {
    const cipher = createDecipheriv("aes-256-gcm", this.#key, raw.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    cipher.setAAD(associated(providerId, period));
    cipher.setAuthTag(raw.subarray(-TAG_BYTES));
    const opened = cipher.update(raw.subarray(NONCE_BYTES, -TAG_BYTES));
    try {
      return Buffer.concat([opened, cipher.final()]);
    } catch {
      return undefined;
    }
  }
}

/** The hours to try, the likely ones first: the current one, those next to it, and those of the last week. */
function* periods(current: number): Generator<number> {
  yield* [current, current - 1, current + 1];
  for (let age = 2; age <= PAST_PERIODS; age += 1) yield current - age;
}

/** The associated data of the seal: fields, each with its length before it. */
function associated(providerId: string, period: number): Buffer {
  const fields = ["zai-tok-1", providerId, String(period)].map((field) => Buffer.from(field));
  return Buffer.concat(
    fields.flatMap((field) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(field.length);
      return [length, field];
    }),
  );
}
