// Key proof: a provider proves that it knows a client's key without either side sending the key (docs/protocol.md, section 1).

import { createHash, createHmac } from "node:crypto";

import { canonical } from "./addresses.ts";

export const CHALLENGE_BYTES = 32;
const KEY_ID_BYTES = 12;
const GENERATED = /^zai_[A-Za-z0-9_-]{32}$/;

/** Whether a key has the form of generated keys. Only these may be proved: key id and proof are public, so a weak key could be guessed. */
export const isGenerated = (key: string): boolean => GENERATED.test(key);

/** SHA-256 of a key, 32 bytes. */
export const digest = (key: string): Buffer => createHash("sha256").update(key).digest();

/** The public id of a key, 12 bytes. A server finds the key by it. */
export function keyId(keyDigest: Buffer): Buffer {
  return createHash("sha256").update("zai-kid").update(keyDigest).digest().subarray(0, KEY_ID_BYTES);
}

/** The proof for a challenge, 32 bytes. `address` and `port` are the server's end of the connection. */
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
