// Checks whether this host itself advertises a loopback address.
//
// Any host on the network can advertise 127.0.0.1 or ::1. A request to that address would reach this host's own services because of
// a foreign advertisement, so loopback addresses are used only if a program on this host advertises the name.

import { createSocket } from "node:dgram";

import makeMdns from "multicast-dns";

import { GROUP, PORT, type Packet } from "./interfaces.ts";

const ANSWER_SECONDS = 1;
const RETRY_SECONDS = 0.25;
const LOOPBACK = "127.0.0.1";

/** Whether a program on this host advertises the instance `name` (with its service type) with this port.
 *
 * The query (RFC 6762, 6.7) is sent on the loopback interface from a port of 127.0.0.1, and the answer returns to it by unicast:
 * packets from other hosts reach neither.
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
    id += 1; // responders ignore a packet that they have just had
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
