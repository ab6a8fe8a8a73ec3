// The sockets of multicast DNS, one for each interface and IP version: a packet leaves on the interface of its socket.

import { type RemoteInfo, type Socket, createSocket } from "node:dgram";
import { BlockList } from "node:net";
import { networkInterfaces } from "node:os";

import makeMdns from "multicast-dns";

export type Packet = makeMdns.ResponsePacket;
export type Query = makeMdns.QueryOutgoingPacket;

export const PORT = 5353;
export const GROUP = "224.0.0.251";
const GROUP6 = "ff02::fb";

/** An interface to search on. `address`: an IPv4 address, or `::%zone` for IPv6. */
interface Interface {
  readonly address: string;
  readonly family: 4 | 6;
}

/** The interfaces with these addresses. Without addresses: all interfaces except loopback, or loopback if it is the only interface. */
export function interfacesFor(addresses: readonly string[]): Interface[] {
  const all = Object.entries(networkInterfaces()).flatMap(([name, listed]) =>
    (listed ?? []).map((entry) => ({ name, ...entry })),
  );
  const wanted = all.filter((entry) => (addresses.length > 0 ? addresses.includes(entry.address) : !entry.internal));
  const chosen = wanted.length > 0 || addresses.length > 0 ? wanted : all.filter(({ family }) => family === "IPv4");
  const found = new Map<string, Interface>();
  for (const { name, address, family, scopeid } of chosen as ((typeof chosen)[number] & { scopeid?: number })[]) {
    const zone = process.platform === "win32" ? String(scopeid) : name;
    const made: Interface = family === "IPv4" ? { address, family: 4 } : { address: `::%${zone}`, family: 6 };
    found.set(made.address, made);
  }
  return [...found.values()];
}

/** The zone of the interface on which a packet arrived, for link-local addresses in the packet; undefined if it is unknown. */
export function zoneOf(sender: RemoteInfo): string | undefined {
  const zone = sender.address.split("%")[1];
  if (zone !== undefined || sender.family === "IPv6") return zone;
  for (const [name, listed] of Object.entries(networkInterfaces())) {
    for (const { cidr, family } of listed ?? []) {
      const [network = "", prefix = ""] = cidr?.split("/") ?? [];
      if (family !== "IPv4" || prefix === "") continue;
      const block = new BlockList();
      block.addSubnet(network, Number(prefix));
      if (block.check(sender.address)) return name;
    }
  }
  return undefined;
}

/** Multicast DNS on one interface. An open socket does not keep the program running. */
export class MulticastSocket {
  readonly #mdns: makeMdns.MulticastDNS;

  private constructor(mdns: makeMdns.MulticastDNS) {
    this.#mdns = mdns;
  }

  /** Rejects with the system's error. */
  static async open(on: Interface, received: (packet: Packet, sender: RemoteInfo) => void): Promise<MulticastSocket> {
    const v6 = on.family === 6;
    const socket = createSocket({ type: v6 ? "udp6" : "udp4", reuseAddr: true, ipv6Only: v6 });
    const group = v6 ? GROUP6 : GROUP;
    const type = v6 ? "udp6" : "udp4";
    const options = {
      type,
      socket,
      ip: group,
      interface: on.address,
      bind: v6 ? "::" : "0.0.0.0",
      multicast: false,
    } as const;
    const mdns = makeMdns(options);
    // Packets that cannot be decoded are ignored: any host on the network can send them.
    mdns.on("warning", () => undefined);
    try {
      await new Promise<void>((resolve, reject) => {
        mdns.once("ready", resolve);
        mdns.once("error", reject);
        socket.once("error", reject);
      });
      join(socket, group, on.address);
    } catch (error) {
      mdns.destroy();
      throw error;
    }
    socket.unref();
    mdns.on("error", () => undefined);
    mdns.on("response", received);
    return new MulticastSocket(mdns);
  }

  query(query: Query): void {
    this.#mdns.query(query, () => undefined); // errors are ignored: a disconnected interface may be back for the next question
  }

  close(): void {
    this.#mdns.destroy();
  }
}

function join(socket: Socket, group: string, address: string): void {
  socket.addMembership(group, address);
  socket.setMulticastInterface(address);
  socket.setMulticastTTL(255);
  socket.setMulticastLoopback(true);
}
