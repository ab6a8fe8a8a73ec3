// Finds the address of an advertised provider at which its identity is confirmed.

import type { Advertisement } from "./advertisements.ts";
import { NoProviderError } from "./errors.ts";
import type { Endpoint } from "./http.ts";
import { type Confirmed, identifyAny } from "./identity.ts";
import { isGenerated } from "./key-proof.ts";
import { answeringURL, endpointOf, identityProbe } from "./probe.ts";
import type { ServiceRecord } from "./record.ts";
import type { Pin } from "./trust.ts";

/** The endpoint of an advertised provider. Throws NoProviderError if its identity must be confirmed first.
 *
 * `key`: its API key. `pin`: its confirmed address and certificate; undefined for a new provider.
 */
export async function locate(
  { record, records }: Advertisement,
  key: string | undefined,
  pin: Pick<Pin, "baseURL" | "fingerprint"> | undefined,
): Promise<{ record: ServiceRecord; endpoint: Endpoint }> {
  if (pin === undefined) {
    const baseURL = record.isUpstream ? record.baseURL() : await answeringURL(record);
    return { record, endpoint: endpointOf(record, baseURL, key ?? record.ephemeralKey) };
  }
  const known: Confirmed = {
    id: record.id,
    baseURL: pin.baseURL ?? "",
    fingerprint: pin.fingerprint,
    keyed: key !== undefined,
    provable: key !== undefined && isGenerated(key),
    ephemeral: key === undefined && record.ephemeralKey !== undefined,
  };
  const probe = identityProbe(record.name, record.id, key);
  let found = await identifyAny(records, known, probe);
  if (
    found.verdict === "same" &&
    (await probe({ baseURL: known.baseURL, fingerprint: known.fingerprint })) === "silent"
  ) {
    found = await identifyAny(records, known, probe, true);
  }
  const baseURL = found.follow ? found.baseURL : pin.baseURL;
  const unsure = found.verdict === "moved_unproven" || found.verdict === "changed";
  if (!baseURL || (unsure && !found.follow)) {
    throw new NoProviderError(
      `${record.name} is advertised at ${found.baseURL ?? record.baseURL()}, which was not confirmed, and it does not prove that it` +
        " is the same provider. Nothing was sent there. If you moved or changed it, pass trust: true once.",
    );
  }
  const ephemeral = found.record.baseURLs().has(baseURL) ? found.record.ephemeralKey : undefined;
  const pinned = found.fingerprint ?? pin.fingerprint;
  return { record: found.record, endpoint: endpointOf(found.record, baseURL, key ?? ephemeral, pinned) };
}

/** The record and the address of a provider whose new certificate the pinned one's key signed; undefined for any other. */
export async function followCertificate(
  { record, records }: Advertisement,
  { id, baseURL = "", fingerprint }: Pin,
): Promise<{ record: ServiceRecord; baseURL: string } | undefined> {
  const found = await identifyAny(records, { id, baseURL, fingerprint }, identityProbe(record.name, id, undefined));
  return found.fingerprint === undefined || found.baseURL === undefined
    ? undefined
    : { record: found.record, baseURL: found.baseURL };
}
