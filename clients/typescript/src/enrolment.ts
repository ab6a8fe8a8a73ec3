// The client certificate for one provider, as `zeroconf-ai enroll` and the Python package store it (docs/enrolment.md).

import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { NoProviderError } from "./errors.ts";
import { mapping, textOf } from "./text.ts";

const DIGEST_BYTES = 32;

export interface Enrolment {
  readonly providerId: string;
  readonly baseURL: string;
  /** SHA-256 of the provider's own certificate, base64url. */
  readonly fingerprint: string;
  /** The private key and the certificate of this client, PEM. */
  readonly pem: string;
}

/** The enrolment in a folder, `…/zeroconf-ai/clients/PROVIDER`. Throws NoProviderError if its files cannot be used. */
export async function readEnrolment(folder: string): Promise<Enrolment> {
  let found: Readonly<Record<string, unknown>>;
  let pem: string;
  try {
    found = mapping(JSON.parse(await readFile(join(folder, "enrolment.json"), "utf8")));
    pem = await readFile(join(folder, "client.pem"), "utf8");
  } catch {
    throw new NoProviderError(`${folder} has no enrolment. Enrol: zeroconf-ai enroll HOST`);
  }
  const [providerId, baseURL, fingerprint] = [textOf(found.provider_id), textOf(found.base_url), textOf(found.pin)];
  if (!providerId || !URL.canParse(baseURL) || Buffer.from(fingerprint, "base64url").length !== DIGEST_BYTES) {
    throw new NoProviderError(`The enrolment in ${folder} is damaged. Enrol again: zeroconf-ai enroll HOST`);
  }
  return { providerId, baseURL, fingerprint, pem };
}

/** Whether a base URL is on the server of an enrolment. */
export function isAt(enrolment: Enrolment, baseURL: string): boolean {
  return URL.canParse(baseURL) && new URL(baseURL).origin === new URL(enrolment.baseURL).origin;
}
