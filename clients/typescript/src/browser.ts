// Browses for both service types by mDNS and resolves the answers to service records.
//
// `multicast-dns` packs, unpacks and sends packets. This module adds the rest of RFC 6762: questions that become rarer, known
// answers, records that are refreshed before they expire, goodbyes, and questions for missing records. Everything is bounded, because
// any host on the network can send any packet.

import type { RemoteInfo } from "node:dgram";

import type { Answer, StringAnswer } from "dns-packet";

import { isLoopback } from "./addresses.ts";
import { NoProviderError } from "./errors.ts";
import { HostAddresses } from "./host-addresses.ts";
import { MulticastSocket, type Packet, interfacesFor } from "./interfaces.ts";
import { advertisedByThisHost } from "./own-host.ts";
import { RecordError, SERVICE_TYPES, ServiceRecord, pairsOf } from "./record.ts";
import { mapping, textOf } from "./text.ts";

/** The most instances, both service types together. More than a household needs. */
export const MAX_INSTANCES = 256;
/** The most records that are read from one packet. */
const MAX_RECORDS = 512;
/** Seconds between two questions for all providers. The first question may be lost; later ones reach hosts that missed it. */
const QUESTION_PAUSES = [0.25, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 3600];
/** Seconds before each question for records that are missing from an answer. */
const MISSING_PAUSES = [0.1, 1, 3];
const UPKEEP_SECONDS = 5;
const REFRESH_AT = 0.8;
/** The most parallel checks of loopback addresses. Each check opens a socket. */
const MAX_CHECKS = 16;

/** What a browser reports. */
export interface Listener {
  /** A new or changed advertisement. */
  found: (key: string, record: ServiceRecord) => void;
  /** An advertisement ended. `goodbye`: whether its provider withdrew it (true), or it expired (false). */
  lost: (key: string, goodbye: boolean) => void;
  /** Whether an advertisement's provider has answered or was confirmed. Such an advertisement is never displaced by new ones. */
  known: (key: string) => boolean;
}

type OpenedSocket = Pick<MulticastSocket, "query" | "close">;

/** Opens multicast DNS on one interface. */
export type OpenSocket = (...given: Parameters<typeof MulticastSocket.open>) => Promise<OpenedSocket>;

interface Instance {
  readonly name: string;
  readonly type: string;
  heard: number;
  seconds: number;
  host?: string;
  port?: number;
  priority?: number;
  txt?: Uint8Array[];
  asked: number;
  missing?: NodeJS.Timeout;
  told: boolean;
  /** Whether a check is running that this host itself advertises the instance. */
  checking: boolean;
}

export class Browser {
  readonly #listener: Listener;
  readonly #wanted: readonly string[];
  readonly #open: OpenSocket;
  readonly #sockets = new Map<string, OpenedSocket>();
  readonly #instances = new Map<string, Instance>();
  readonly #hosts = new HostAddresses();
  readonly #timers = new Set<NodeJS.Timeout>();
  #checks = 0;
  #closed = false;

  /** `interfaces`: the addresses of the interfaces to search on; empty: all interfaces. `open` opens a socket on one of them. */
  constructor(
    listener: Listener,
    interfaces: readonly string[] = [],
    open: OpenSocket = (on, received) => MulticastSocket.open(on, received),
  ) {
    this.#listener = listener;
    this.#wanted = interfaces;
    this.#open = open;
  }

  /** Begins to browse. Throws NoProviderError if no interface can be used. */
  async start(): Promise<void> {
    const failures = await this.#openSockets();
    if (this.#sockets.size === 0) {
      const why = failures[0] === undefined ? "" : `: ${textOf(mapping(failures[0]).message)}`;
      throw new NoProviderError(`Multicast DNS is not available${why}. Connect this machine to a network.`);
    }
    this.#ask(0);
    const upkeep = setInterval(() => void this.#upkeep(), UPKEEP_SECONDS * 1000);
    this.#timers.add(upkeep.unref());
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const { missing } of this.#instances.values()) clearTimeout(missing);
    for (const socket of this.#sockets.values()) socket.close();
    this.#timers.clear();
    this.#sockets.clear();
    this.#instances.clear();
  }

  /** Opens sockets on new interfaces and closes those of removed interfaces. Returns the errors of sockets that could not be opened. */
  async #openSockets(): Promise<unknown[]> {
    const present = interfacesFor(this.#wanted);
    for (const [address, socket] of this.#sockets) {
      if (present.some((on) => on.address === address)) continue;
      socket.close();
      this.#sockets.delete(address);
    }
    const failures: unknown[] = [];
    for (const on of present.filter(({ address }) => !this.#sockets.has(address))) {
      try {
        const socket = await this.#open(on, (packet, sender) => this.#receive(packet, sender));
        if (this.#closed) socket.close();
        else this.#sockets.set(on.address, socket);
      } catch (error) {
        failures.push(error);
      }
    }
    return failures;
  }

  /** Asks for all providers now, and again after each of QUESTION_PAUSES. */
  #ask(round: number): void {
    this.#query();
    const pause = QUESTION_PAUSES[Math.min(round, QUESTION_PAUSES.length - 1)] ?? 0;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#ask(round + 1);
    }, pause * 1000);
    this.#timers.add(timer.unref());
  }

  /** Asks for all providers. The question lists known answers, so that their hosts do not repeat them (RFC 6762, 7.1). */
  #query(): void {
    const now = seconds();
    const answers: Answer[] = [...this.#instances.values()]
      .filter(({ heard, seconds }) => now - heard < seconds / 2)
      .slice(0, 20)
      .map(({ name, type, heard, seconds }) => {
        return { name: type, type: "PTR", ttl: Math.round(heard + seconds - now), data: name };
      });
    for (const socket of this.#sockets.values()) {
      socket.query({ questions: SERVICE_TYPES.map((name) => ({ name, type: "PTR" })), answers });
    }
  }

  async #upkeep(): Promise<void> {
    const now = seconds();
    let refresh = false;
    for (const [key, instance] of this.#instances) {
      const age = now - instance.heard;
      if (age > instance.seconds) this.#remove(key, false);
      else refresh ||= age > REFRESH_AT * instance.seconds;
    }
    const before = new Set(this.#sockets.keys());
    await this.#openSockets();
    const added = [...this.#sockets.keys()].some((address) => !before.has(address));
    if (!this.#closed && (refresh || added)) this.#query();
  }

  #receive(packet: Packet, sender: RemoteInfo): void {
    if (this.#closed || sender.port !== 5353) return; // RFC 6762, 6
    const records = [...(packet.answers ?? []), ...(packet.additionals ?? [])].slice(0, MAX_RECORDS);
    const changed = new Set<string>();
    for (const record of records) if (record.type === "PTR") this.#pointer(record, changed);
    for (const record of records) {
      const instance = "name" in record ? this.#instances.get(record.name.toLowerCase()) : undefined;
      if (instance === undefined) continue;
      if (record.type === "SRV" && record.ttl !== 0) {
        instance.host = record.data.target;
        instance.port = record.data.port;
        instance.priority = record.data.priority ?? 0;
        changed.add(record.name.toLowerCase());
      } else if (record.type === "TXT" && record.ttl !== 0) {
        instance.txt = [record.data].flat().map((part) => Buffer.from(part));
        changed.add(record.name.toLowerCase());
      }
    }
    this.#addresses(records, sender, changed);
    for (const key of changed) this.#resolve(key);
  }

  #pointer(record: StringAnswer, changed: Set<string>): void {
    const type = SERVICE_TYPES.find((known) => known === record.name.toLowerCase());
    const key = record.data.toLowerCase();
    if (type === undefined || !key.endsWith(`.${type}`)) return;
    if (record.ttl === 0) {
      this.#remove(key, true);
      return;
    }
    const known = this.#instances.get(key);
    if (known === undefined && !this.#makeRoom()) return;
    const instance = known ?? { name: record.data, type, heard: 0, seconds: 0, asked: 0, told: false, checking: false };
    instance.heard = seconds();
    instance.seconds = record.ttl ?? 0;
    this.#instances.set(key, instance);
    changed.add(key);
  }

  /** Whether one more instance may be kept. If all places are taken, removes the oldest instance whose provider never answered. */
  #makeRoom(): boolean {
    if (this.#instances.size < MAX_INSTANCES) return true;
    for (const key of this.#instances.keys()) {
      if (this.#listener.known(key)) continue;
      this.#remove(key, false);
      return true;
    }
    return false;
  }

  #addresses(records: readonly Answer[], sender: RemoteInfo, changed: Set<string>): void {
    const keys = new Map<string, string[]>();
    for (const [key, { host }] of this.#instances) {
      if (host !== undefined) keys.set(host.toLowerCase(), [...(keys.get(host.toLowerCase()) ?? []), key]);
    }
    for (const host of this.#hosts.learn(records, sender, keys))
      for (const key of keys.get(host) ?? []) changed.add(key);
  }

  #remove(key: string, goodbye: boolean): void {
    const instance = this.#instances.get(key);
    if (instance === undefined) return;
    clearTimeout(instance.missing);
    this.#instances.delete(key);
    if (instance.told) this.#listener.lost(key, goodbye);
  }

  /** Reports an instance if all its records are known, else asks for the missing records. */
  #resolve(key: string): void {
    const instance = this.#instances.get(key);
    if (instance === undefined) return;
    const { host, port, txt } = instance;
    const addresses = this.#hosts.of(host);
    if (host === undefined || port === undefined || txt === undefined || addresses.length === 0) {
      this.#askForMissing(key, instance);
      return;
    }
    clearTimeout(instance.missing);
    delete instance.missing;
    instance.asked = 0;
    const reachable = addresses.filter((address) => !isLoopback(address));
    if (reachable.length > 0) {
      this.#report(key, instance, reachable);
      return;
    }
    if (instance.checking || this.#checks >= MAX_CHECKS) return; // the next packet about this instance starts a check
    instance.checking = true;
    this.#checks += 1;
    void advertisedByThisHost(instance.name, port).then((own) => {
      instance.checking = false;
      this.#checks -= 1;
      if (own && this.#instances.get(key) === instance) this.#report(key, instance, addresses);
    });
  }

  #report(key: string, instance: Instance, addresses: readonly string[]): void {
    const { name, type, host = "", port = 0, priority = 0, txt = [] } = instance;
    let record: ServiceRecord;
    try {
      record = new ServiceRecord(pairsOf(txt), {
        name: name.slice(0, -(type.length + 1)),
        host: host.endsWith(".") ? host : `${host}.`,
        port,
        addresses,
        serviceType: type,
        srvPriority: priority,
      });
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      if (instance.told) this.#listener.lost(key, false);
      instance.told = false;
      return;
    }
    instance.told = true;
    this.#listener.found(key, record);
  }

  #askForMissing(key: string, instance: Instance): void {
    const pause = MISSING_PAUSES[instance.asked];
    if (instance.missing !== undefined || pause === undefined) return;
    instance.missing = setTimeout(() => {
      delete instance.missing;
      instance.asked += 1;
      const { name, host, txt } = instance;
      const questions =
        host === undefined || txt === undefined
          ? [
              { name, type: "SRV" as const },
              { name, type: "TXT" as const },
            ]
          : [];
      const addresses = host === undefined ? [] : (["A", "AAAA"] as const).map((type) => ({ name: host, type }));
      for (const socket of this.#sockets.values()) socket.query({ questions: [...questions, ...addresses] });
      this.#resolve(key);
    }, pause * 1000).unref();
  }
}

const seconds = (): number => performance.now() / 1000;
