import { type Answer, type Packet, decode, encode } from "dns-packet";

import type { OpenSocket } from "../src/browser.ts";
import type { Packet as Received, Query } from "../src/interfaces.ts";

/** A simulated network: packs and unpacks the packets that a test sends, and keeps the browser's questions. */
export class Network {
  readonly questions: Query[] = [];
  /** Called with each question. */
  asked: (query: Query) => void = () => undefined;
  #receive: Parameters<OpenSocket>[1] | undefined;

  readonly open: OpenSocket = (_, receive) => {
    this.#receive ??= receive;
    const query = (given: Query) => {
      this.questions.push(given);
      this.asked(given);
    };
    return Promise.resolve({ query, close: () => undefined });
  };

  /** A response from another host. */
  send(answers: Answer[], additionals: Answer[] = [], port = 5353): void {
    const packet: Packet = { type: "response", answers, additionals };
    const received = decode(encode(packet)) as Received;
    this.#receive?.(received, { address: "192.0.2.99", family: "IPv4", port, size: 100 });
  }
}

export interface Advertised {
  name?: string;
  type?: string;
  port?: number;
  host?: string;
  addresses?: string[];
  txt?: string[];
  ttl?: number;
}

/** The records of an advertisement. */
export function recordsOf(given: Advertised = {}): [Answer, Answer, Answer, ...Answer[]] {
  const { name = "Box", type = "_zeroconfai._tcp.local", port = 8000, host = "box.local", ttl = 120 } = given;
  const full = `${name}.${type}`;
  const addresses = (given.addresses ?? ["192.0.2.7"]).map((data): Answer => {
    return { name: host, type: data.includes(":") ? "AAAA" : "A", ttl, flush: true, data };
  });
  return [
    { name: type, type: "PTR", ttl, data: full },
    { name: full, type: "SRV", ttl, flush: true, data: { port, target: host } },
    { name: full, type: "TXT", ttl, flush: true, data: given.txt ?? ["version=1.0", `id=${name}`] },
    ...addresses,
  ];
}
