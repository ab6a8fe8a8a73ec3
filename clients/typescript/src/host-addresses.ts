// The addresses of hosts that multicast DNS has told.

import type { RemoteInfo } from "node:dgram";

import type { Answer } from "dns-packet";

import { canonical, isLinkLocal } from "./addresses.ts";
import { zoneOf } from "./interfaces.ts";

const MAX_HOSTS = 512;
/** Addresses of one host. */
const MAX_ADDRESSES = 32;
/** Seconds: an announcement replaces what was announced before that (RFC 6762, 10.2). */
const FLUSH_SECONDS = 1;

export class HostAddresses {
  /** When each address of a host was heard, by host name. */
  readonly #hosts = new Map<string, Map<string, number>>();

  /** The addresses of a host, the oldest first. */
  of(host = ""): string[] {
    return [...(this.#hosts.get(host.toLowerCase())?.keys() ?? [])];
  }

  /** Keeps the addresses in a packet's records of the hosts that are wanted; returns the names of the hosts that it was about. */
  learn(records: readonly Answer[], sender: RemoteInfo, wanted: ReadonlyMap<string, unknown>): Set<string> {
    const heard = new Set<string>();
    const now = performance.now() / 1000;
    for (const record of records) {
      if (record.type !== "A" && record.type !== "AAAA") continue;
      const host = record.name.toLowerCase();
      const address = wanted.has(host) ? scoped(record.data, sender) : undefined;
      if (address === undefined) continue;
      heard.add(host);
      const known = this.#hosts.get(host) ?? this.#add(host, wanted);
      if (record.flush === true) {
        for (const [old, at] of known) {
          if (old.includes(":") === address.includes(":") && now - at > FLUSH_SECONDS) known.delete(old);
        }
      }
      if (record.ttl === 0) known.delete(address);
      else if (known.size < MAX_ADDRESSES || known.has(address)) known.set(address, now);
    }
    return heard;
  }

  #add(host: string, wanted: ReadonlyMap<string, unknown>): Map<string, number> {
    if (this.#hosts.size >= MAX_HOSTS)
      for (const old of this.#hosts.keys()) if (!wanted.has(old)) this.#hosts.delete(old);
    const [oldest] = this.#hosts.keys();
    if (this.#hosts.size >= MAX_HOSTS && oldest !== undefined) this.#hosts.delete(oldest);
    const made = new Map<string, number>();
    this.#hosts.set(host, made);
    return made;
  }
}

/** An address in its shortest form, with the zone of a link-local one; undefined for one that cannot be used. */
function scoped(text: string, sender: RemoteInfo): string | undefined {
  const address = canonical(text);
  if (address === undefined || !address.includes(":") || !isLinkLocal(address)) return address;
  const zone = zoneOf(sender);
  return zone === undefined ? undefined : `${address}%${zone}`;
}
