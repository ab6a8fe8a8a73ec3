// Decides whether an advertisement belongs to a confirmed provider, and whether requests may go to a new address.
//
// An id is public and proves nothing (docs/protocol.md, section 1). A provider is followed to a new address only if its pinned
// certificate is presented there, if it proves that it knows the key, or if neither a certificate nor a key was confirmed.
// Otherwise the owner must confirm the address; until then neither prompts nor keys are sent to it.

import type { ServiceRecord } from "./record.ts";

/** The most advertisements of one id that are considered. */
export const MAX_RECORDS = 8;

/** The relation of an advertisement to a confirmed provider. */
export type Verdict = "same" | "moved_proven" | "moved_unproven" | "changed" | "unreachable";

/** The result of probing an address without the key.
 *
 * `proven`: the known id with a proof of the key. `known`: the known id. `unnamed`: a provider that reports no id. `wants_key`: a
 * server that requires a key for every request. `other`: a provider with another id. `handed_over`: the known id, whose pinned certificate signed
 * the presented one. `silent`: no provider, or another certificate.
 */
export type Reply = "proven" | "known" | "unnamed" | "wants_key" | "other" | "handed_over" | "silent";

/** An address to probe. */
export interface Target {
  readonly baseURL: string;
  /** The required certificate. */
  readonly fingerprint?: string | undefined;
  /** Whether to request a proof of the key from a server with the known id. */
  readonly prove?: boolean;
  /** The pinned certificate that must have signed the required one. */
  readonly handedOverBy?: string | undefined;
}

/** Identifies the server at an address. Sends neither key nor prompt, and does not reject. */
export type Probe = (target: Target) => Promise<Reply>;

/** The confirmed properties of a provider. */
export interface Confirmed {
  readonly id: string;
  /** Empty if no address is stored. */
  readonly baseURL: string;
  readonly fingerprint?: string | undefined;
  /** Whether requests to the provider carry a key. */
  readonly keyed?: boolean;
  /** Whether the key was generated, so that the provider can prove that it knows the key. */
  readonly provable?: boolean;
  /** Whether each advertisement of the provider contains its key. */
  readonly ephemeral?: boolean;
}

export interface Identification {
  readonly verdict: Verdict;
  readonly record: ServiceRecord;
  /** The new address; undefined if it did not change or no address answers. */
  readonly baseURL?: string | undefined;
  /** Whether requests may go to `baseURL` without confirmation by the owner. */
  readonly follow: boolean;
  /** The certificate to pin from now on; undefined: the pin stays. */
  readonly fingerprint?: string;
}

/** Relates `record` to the confirmed provider. Probes addresses only if the record does not contain the confirmed address.
 *
 * `urls`: the addresses of the record to consider.
 */
export async function identify(
  record: ServiceRecord,
  known: Confirmed,
  probe: Probe,
  urls: readonly string[] = record.urls(),
): Promise<Identification> {
  const at = (verdict: Verdict, baseURL?: string): Identification => ({ verdict, record, baseURL, follow: false });
  if (record.id !== known.id) return at("changed", record.baseURL());
  const sameAddress =
    urls.includes(known.baseURL) || (urls.length === record.urls().length && record.baseURLs().has(known.baseURL));
  const sameCertificate = keepsCertificate(record, known);
  if (sameAddress && sameCertificate) return at("same");
  // Any host may advertise an upstream, and the former upstream answers all clients.
  if (known.ephemeral && record.isUpstream) return at("moved_unproven", record.baseURL());
  const former = known.baseURL ? await probe({ baseURL: known.baseURL, fingerprint: known.fingerprint }) : "silent";
  const mayBeFormer = former === "unnamed" || former === "wants_key";
  if (former === "known" || (mayBeFormer && (known.fingerprint !== undefined || !known.provable || sameAddress)))
    return at("same");
  const successor = sameCertificate ? undefined : await handedOver(record, urls, known, probe);
  if (successor !== undefined) return successor;
  if (!sameCertificate) return at(mayBeFormer ? "same" : "changed", record.baseURL());
  // Any host may advertise another upstream, so it is not even probed.
  if (record.isUpstream) return at(mayBeFormer ? "same" : "moved_unproven", record.baseURL());
  const found = await probeAll(record, urls, known, probe);
  return mayBeFormer && found.verdict !== "moved_proven" ? at("same") : found;
}

/** The strongest identification among the advertisements of one id, so that an impostor cannot hide the real provider.
 *
 * `records` has at least one advertisement. `beyondConfirmed`: the confirmed address does not answer, so only the record's other
 * addresses are considered.
 */
export async function identifyAny(
  records: readonly ServiceRecord[],
  known: Confirmed,
  probe: Probe,
  beyondConfirmed = false,
): Promise<Identification> {
  const found: Identification[] = [];
  for (const record of records.slice(0, MAX_RECORDS)) {
    const others = record.urls().filter((url) => url !== known.baseURL);
    found.push(await identify(record, known, probe, beyondConfirmed && others.length > 0 ? others : record.urls()));
  }
  return found.reduce((best, next) => (strength(next) > strength(best) ? next : best));
}

/** The identification of a provider that presents another certificate, signed by the pinned one's key; undefined for any other. */
async function handedOver(
  record: ServiceRecord,
  urls: readonly string[],
  known: Confirmed,
  probe: Probe,
): Promise<Identification | undefined> {
  const { fingerprint } = record;
  if (known.fingerprint === undefined || !record.tls || fingerprint === undefined || record.isUpstream)
    return undefined;
  for (const baseURL of urls) {
    if ((await probe({ baseURL, fingerprint, handedOverBy: known.fingerprint })) === "handed_over")
      return { verdict: "moved_proven", record, baseURL, follow: true, fingerprint };
  }
  return undefined;
}

/** Probes the advertised addresses in turn until one may be used. */
async function probeAll(
  record: ServiceRecord,
  urls: readonly string[],
  known: Confirmed,
  probe: Probe,
): Promise<Identification> {
  const pinned = known.fingerprint !== undefined;
  let answering: string | undefined;
  for (const baseURL of urls) {
    const reply = await probe({ baseURL, fingerprint: known.fingerprint, prove: known.provable === true && !pinned });
    if (reply === "silent") continue;
    if (reply === "proven" || (pinned && reply !== "other"))
      return { verdict: "moved_proven", record, baseURL, follow: true };
    const named = reply === "known" || (reply === "unnamed" && record.idDerived);
    if (named && !known.keyed && !pinned) return { verdict: "moved_unproven", record, baseURL, follow: true };
    answering ??= baseURL;
  }
  return {
    verdict: answering === undefined ? "unreachable" : "moved_unproven",
    record,
    baseURL: answering,
    follow: false,
  };
}

/** Whether the advertised connection is as safe as the confirmed one: same certificate, and no downgrade from TLS. */
function keepsCertificate(record: ServiceRecord, known: Confirmed): boolean {
  const downgraded = known.baseURL.startsWith("https:") && !record.baseURL().startsWith("https:");
  return record.fingerprint === known.fingerprint && !downgraded;
}

/** The precedence of identifications if several hosts advertise one id. */
function strength(found: Identification): number {
  if (found.verdict === "moved_proven") return 4;
  if (found.verdict === "same") return 3;
  if (found.follow) return 2;
  return found.verdict === "unreachable" ? 0 : 1;
}
