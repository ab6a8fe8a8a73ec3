// Hand-over: the key of a pinned certificate signs the fingerprint of its successor, so that pins survive a renewal (docs/protocol.md, section 1).

import { X509Certificate, createHash, verify } from "node:crypto";

import { mapping } from "./text.ts";

/** The most steps of an answer: more than five years of renewals. */
const MAX_STEPS = 8;
const FINGERPRINT_BYTES = 32;
const MAX_CERTIFICATE_BYTES = 8 * 1024;
const MAX_SIGNATURE_BYTES = 1024;

/** One renewal: the former certificate (DER), and the signature by its key over the fingerprint of the next one. */
export interface Step {
  readonly certificate: Buffer;
  readonly signature: Buffer;
}

/** SHA-256 of a certificate (DER), base64url. */
export const fingerprintOf = (certificate: Buffer): string =>
  createHash("sha256").update(certificate).digest("base64url");

/** The steps of an answer; empty if one is malformed or there are too many. */
export function parseSteps(data: unknown): Step[] {
  if (!Array.isArray(data) || data.length > MAX_STEPS) return [];
  const steps = data.map((item): Step | undefined => {
    const given = mapping(item);
    const certificate = bytes(given.certificate, MAX_CERTIFICATE_BYTES);
    const signature = bytes(given.signature, MAX_SIGNATURE_BYTES);
    return certificate && signature && { certificate, signature };
  });
  return steps.every((step) => step !== undefined) ? steps : [];
}

/** Whether `steps` lead from the pinned fingerprint to the presented one, each signed by the key of the certificate before.
 *
 * The dates of the former certificates are not checked: a client may have been away for longer than they were valid.
 */
export function isHandedOver(providerId: string, pinned: string, presented: string, steps: readonly Step[]): boolean {
  let current = pinned;
  for (const [index, step] of steps.entries()) {
    const next = steps[index + 1];
    const successor = next === undefined ? presented : fingerprintOf(next.certificate);
    if (fingerprintOf(step.certificate) !== current || !verifies(providerId, step, successor)) return false;
    current = successor;
  }
  return steps.length > 0;
}

function verifies(providerId: string, step: Step, successor: string): boolean {
  const former = Buffer.from(fingerprintOf(step.certificate), "base64url");
  const next = Buffer.from(successor, "base64url");
  if (next.length !== FINGERPRINT_BYTES) return false;
  const fields = [Buffer.from("zai-handover-1"), Buffer.from(providerId), former, next];
  const message = Buffer.concat(
    fields.flatMap((field) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(field.length);
      return [length, field];
    }),
  );
  try {
    const key = new X509Certificate(step.certificate).publicKey;
    const algorithm = new Map([
      ["ec", "sha256"],
      ["rsa", "sha256"],
      ["ed25519", null],
    ]).get(key.asymmetricKeyType ?? "");
    return algorithm !== undefined && verify(algorithm, message, key, step.signature);
  } catch {
    return false; // no certificate, or a key that this version of Node does not know
  }
}

/** Base64url of at most `limit` bytes; undefined for any other value. */
function bytes(value: unknown, limit: number): Buffer | undefined {
  if (typeof value !== "string" || value.length > limit * 2 || !/^[\w-]+$/.test(value)) return undefined;
  const raw = Buffer.from(value, "base64url");
  return raw.length > 0 && raw.length <= limit ? raw : undefined;
}
