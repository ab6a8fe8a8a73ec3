// The addresses of hosts, learned from packets of multicast DNS.

import type { RemoteInfo } from "node:dgram";

import type { Answer } from "dns-packet";

import { canonical, isLinkLocal } from "./addresses.ts";
import { zoneOf } from "./interfaces.ts";

const MAX_HOSTS = 512;
/** The most addresses of one host. */
const MAX_ADDRESSES = 32;
/** In seconds. A record with the cache-flush bit replaces older records of its host, except those of the last second (RFC 6762, 10.2). */
const FLUSH_SECONDS = 1;

export class HostAddresses {
  /** The addresses of each host name, with the time in seconds when each was last received. */
  readonly #hosts = new Map<string, Map<string, number>>();

  /** The addresses of a host, the oldest first. */
  of(host = ""): string[] {
    return [...(this.#hosts.get(host.toLowerCase())?.keys() ?? [])];
  }

  /** Stores the addresses of the `wanted` hosts in a packet's records; returns the names of these hosts. */
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

/** The shortest form of an address; a link-local address gets its zone. Undefined if the address cannot be used. */
function scoped(text: string, sender: RemoteInfo): string | undefined {
  const address = canonical(text);
  if (address === undefined || !address.includes(":") || !isLinkLocal(address)) return address;
  const zone = zoneOf(sender);
  return zone === undefined ? undefined : `${address}%${zone}`;
}
