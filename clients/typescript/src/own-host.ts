// Checks whether this host itself advertises a loopback address.
//
// Any host on the network can advertise 127.0.0.1 or ::1. Requests to such an address would reach services of this host, so loopback
// addresses are used only if a program on this host advertises the name.

import { createSocket } from "node:dgram";

import makeMdns from "multicast-dns";

import { GROUP, PORT, type Packet } from "./interfaces.ts";

const ANSWER_SECONDS = 1;
const RETRY_SECONDS = 0.25;
const LOOPBACK = "127.0.0.1";

/** Whether a program on this host advertises the instance `name` (including its service type) with this port.
 *
 * The query (RFC 6762, 6.7) is sent from a port of 127.0.0.1 on the loopback interface, and the answer returns to this port by unicast.
 * Packets from other hosts reach neither the interface nor the port.
 */
export async function advertisedByThisHost(name: string, port: number): Promise<boolean> {
  const socket = createSocket("udp4");
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      socket.bind(0, LOOPBACK, resolve);
    });
    socket.setMulticastInterface(LOOPBACK);
  } catch {
    socket.close();
    return false;
  }
  const mdns = makeMdns({ socket, bind: false, multicast: false });
  mdns.on("warning", () => undefined);
  mdns.on("error", () => undefined);
  let id = 0;
  const ask = () => {
    id += 1; // responders ignore repeated packets
    mdns.query({ id, questions: [{ name, type: "SRV" }] }, { port: PORT, address: GROUP }, () => undefined);
  };
  try {
    return await new Promise<boolean>((resolve) => {
      const again = setInterval(ask, RETRY_SECONDS * 1000);
      const late = setTimeout(() => finish(false), ANSWER_SECONDS * 1000);
      const finish = (answered: boolean) => {
        clearInterval(again);
        clearTimeout(late);
        resolve(answered);
      };
      mdns.on("response", ({ answers = [] }: Packet, { address }) => {
        const fits = answers.some(
          (answer) =>
            answer.type === "SRV" && answer.name.toLowerCase() === name.toLowerCase() && answer.data.port === port,
        );
        if (fits && address.startsWith("127.")) finish(true);
      });
      ask();
    });
  } finally {
    mdns.destroy();
  }
}
