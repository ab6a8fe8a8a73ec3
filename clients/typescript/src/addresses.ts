// IP addresses as text: one spelling for each address, and its kind (loopback, link-local, public).

import { BlockList, isIP, isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";

const LINK_LOCAL = blocks(["169.254.0.0/16", "fe80::/10"]);
const UNUSABLE = blocks(["0.0.0.0/32", "224.0.0.0/4", "::/128", "ff00::/8"]);
const LOOPBACK = blocks(["127.0.0.0/8", "::1/128"]);
/** Networks without public hosts (IANA's registries of special-purpose addresses), and tunnels to private networks. */
const NOT_PUBLIC = blocks([
  ...["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24"],
  ...["192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"],
  ...["224.0.0.0/3", "168.63.129.16/32", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"],
]);
const GLOBAL_UNICAST = blocks(["2000::/3"]);
const NAT64 = "64:ff9b::";
/** The usual prefix length of a home's IPv6 network (RFC 6177). */
const HOME_PREFIX = 56;

/** The shortest form of an address, with its zone; an IPv4-mapped address becomes IPv4. Undefined if `text` is not an address. */
export function canonical(text: string): string | undefined {
  const [bare = "", zone, ...more] = text.split("%");
  if (isIP(bare) === 0 || more.length > 0 || zone === "" || (zone !== undefined && !/^[\w.:-]{1,32}$/.test(zone)))
    return undefined;
  if (isIPv4(bare)) return zone === undefined ? bare : undefined;
  const short = new URL(`http://[${bare}]`).hostname.slice(1, -1);
  const mapped = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(short);
  if (mapped) {
    const [high, low] = [parseInt(mapped[1] ?? "", 16), parseInt(mapped[2] ?? "", 16)];
    return [high >> 8, high & 255, low >> 8, low & 255].join(".");
  }
  return zone === undefined ? short : `${short}%${zone}`;
}

export const isLoopback = (address: string): boolean => within(LOOPBACK, address);
export const isLinkLocal = (address: string): boolean => within(LINK_LOCAL, address);

/** At most `limit` usable addresses without duplicates, sorted by the probability that they are reachable. */
export function ordered(addresses: Iterable<string>, limit: number): string[] {
  const usable = [...new Set(addresses)].filter((address) => !within(UNUSABLE, address));
  const rank = (address: string) =>
    (isLoopback(address) ? 4 : 0) + (isLinkLocal(address) ? 2 : 0) + (address.includes(":") ? 1 : 0);
  return usable.sort((one, other) => rank(one) - rank(other)).slice(0, limit);
}

/** Whether an address belongs to a public host outside the home. */
export function isPublic(address: string): boolean {
  const inner = nat64(address) ?? address;
  if (inner.includes(":") && !within(GLOBAL_UNICAST, inner)) return false;
  return !within(NOT_PUBLIC, inner) && !within(onLink(), inner);
}

/** The networks of this machine's interfaces. */
function onLink(): BlockList {
  // Not loopback: `::/56` would contain all of IPv4.
  const found = Object.values(networkInterfaces()).flatMap(
    (listed) => listed?.filter(({ internal }) => !internal) ?? [],
  );
  return blocks(
    found.map(({ address, cidr, family }) => {
      const prefix = Number(cidr?.split("/")[1] ?? (family === "IPv4" ? 32 : 128));
      return `${address.split("%")[0] ?? ""}/${family === "IPv4" ? prefix : Math.min(prefix, HOME_PREFIX)}`;
    }),
  );
}

/** The IPv4 address inside a NAT64 address (RFC 6052); undefined for other addresses. */
function nat64(address: string): string | undefined {
  if (!address.startsWith(NAT64)) return undefined;
  return canonical(`::ffff:${address.slice(NAT64.length) || "0"}`);
}

function within(list: BlockList, address: string): boolean {
  const [bare = ""] = address.split("%");
  return list.check(bare, bare.includes(":") ? "ipv6" : "ipv4");
}

function blocks(networks: Iterable<string>): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", prefix = ""] = network.split("/");
    list.addSubnet(address, Number(prefix), address.includes(":") ? "ipv6" : "ipv4");
  }
  return list;
}
