// Key proof: a provider proves that it knows a client's key, which neither side sends (docs/protocol.md, section 1).

import { createHash, createHmac } from "node:crypto";

import { canonical } from "./addresses.ts";

export const CHALLENGE_BYTES = 32;
const KEY_ID_BYTES = 12;
const GENERATED = /^zai_[A-Za-z0-9_-]{32}$/;

/** Whether a key has the form of a generated one. Only these may be used: key id and proof are public, so that a weak key could be found. */
export const isGenerated = (key: string): boolean => GENERATED.test(key);

/** SHA-256 of a key, 32 bytes. */
export const digest = (key: string): Buffer => createHash("sha256").update(key).digest();

/** The public id by which a server finds the key, 12 bytes. */
export function keyId(keyDigest: Buffer): Buffer {
  return createHash("sha256").update("zai-kid").update(keyDigest).digest().subarray(0, KEY_ID_BYTES);
}

/** The proof for a challenge that reached `providerId` at `address` and `port` of the connection, 32 bytes. */
export function prove(keyDigest: Buffer, challenge: Buffer, providerId: string, address: string, port: number): Buffer {
  const shortest = canonical(address)?.split("%")[0] ?? address;
  const fields = ["zai-proof-1", challenge, providerId, shortest, String(port)].map((field) => Buffer.from(field));
  const mac = createHmac("sha256", keyDigest);
  for (const field of fields) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(field.length);
    mac.update(length).update(field);
  }
  return mac.digest();
}
