import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import { Browser, MAX_INSTANCES } from "../src/browser.ts";
import type { ServiceRecord } from "../src/record.ts";
import { Network, recordsOf } from "./network.ts";

interface Heard {
  network: Network;
  found: Map<string, ServiceRecord>;
  lost: [string, boolean][];
  known: Set<string>;
}

/** A browser, and what it reports. */
async function browsing(t: TestContext): Promise<Heard> {
  const heard: Heard = { network: new Network(), found: new Map(), lost: [], known: new Set() };
  const browser = new Browser(
    {
      found: (key, record) => heard.found.set(key, record),
      lost: (key, goodbye) => heard.lost.push([key, goodbye]),
      known: (key) => heard.known.has(key),
    },
    ["127.0.0.1"],
    heard.network.open,
  );
  const alive = setInterval(() => undefined, 1000); // an open browser does not keep the test running
  t.after(() => {
    clearInterval(alive);
    browser.close();
  });
  await browser.start();
  return heard;
}

const KEY = "box._zeroconfai._tcp.local";

test("browser: it asks for both service types, and reports an answer in one packet", async (t) => {
  const { network, found } = await browsing(t);
  assert.deepEqual(network.questions[0]?.questions, [
    { name: "_zeroconfai._tcp.local", type: "PTR" },
    { name: "_saturn._tcp.local", type: "PTR" },
  ]);
  network.send(recordsOf({ txt: ["id=one", "models=a,b"], addresses: ["192.0.2.7", "fd00::7"] }));
  const record = found.get(KEY);
  assert.deepEqual(
    [record?.name, record?.models, record?.urls()],
    ["Box", ["a", "b"], ["http://192.0.2.7:8000/v1", "http://[fd00::7]:8000/v1"]],
  );
});

test("browser: it asks for the records that are missing from an answer", async (t) => {
  const { network, found } = await browsing(t);
  const [pointer, service, text, address] = recordsOf();
  const asked = new Promise<void>((resolve) => {
    network.asked = ({ questions }) => {
      if (questions.some(({ type }) => type === "SRV")) resolve();
    };
  });
  network.send([pointer]);
  await asked;
  const addresses = new Promise<void>((resolve) => {
    network.asked = ({ questions }) => {
      if (questions.some(({ type, name }) => type === "A" && name === "box.local")) resolve();
    };
  });
  network.send([service, text]);
  assert.equal(found.size, 0);
  await addresses;
  network.send([address ?? assert.fail()]);
  assert.equal(found.get(KEY)?.baseURL(), "http://192.0.2.7:8000/v1");
});

test("browser: names with dots, umlauts and brackets are not cut", async (t) => {
  const { network, found } = await browsing(t);
  network.send(recordsOf({ name: "Dr. Müller's PC (2)" }));
  assert.deepEqual(
    [...found.values()].map(({ name }) => name),
    ["Dr. Müller's PC (2)"],
  );
});

test("browser: a new address, port or TXT record replaces the former one", async (t) => {
  const { network, found } = await browsing(t);
  t.mock.method(performance, "now", () => 1_000_000);
  network.send(recordsOf());
  t.mock.method(performance, "now", () => 1_005_000);
  network.send(recordsOf({ addresses: ["192.0.2.8"], port: 8001, txt: ["priority=7"] }));
  const record = found.get(KEY);
  assert.deepEqual([record?.urls(), record?.priority], [["http://192.0.2.8:8001/v1"], 7]);
});

test("browser: a goodbye removes an advertisement, and a record that is not refreshed expires", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  const { network, found, lost } = await browsing(t);
  network.send(recordsOf());
  network.send(recordsOf({ name: "Other", host: "other.local" }));
  assert.equal(found.size, 2);
  network.send([recordsOf({ ttl: 0 })[0]]);
  assert.deepEqual(lost, [[KEY, true]]);
  const before = network.questions.length;
  const now = performance.now();
  t.mock.method(performance, "now", () => now + 100_000);
  t.mock.timers.tick(5_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.ok(network.questions.length > before, "the browser asks for the record before it expires");
  t.mock.method(performance, "now", () => now + 121_000);
  t.mock.timers.tick(5_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(lost.at(-1), ["other._zeroconfai._tcp.local", false]);
});

test("browser: a question lists known answers, so that hosts do not repeat them", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  const { network } = await browsing(t);
  network.send(recordsOf());
  t.mock.timers.tick(300);
  assert.deepEqual(
    network.questions.at(-1)?.answers?.map((answer) => "data" in answer && answer.data),
    [`Box._zeroconfai._tcp.local`],
  );
});

test("browser: records that advertise no provider are ignored", async (t) => {
  const { network, found } = await browsing(t);
  const [pointer, service, text, address] = recordsOf();
  network.send(recordsOf(), [], 5354); // RFC 6762, 6: not from the port of mDNS
  network.send([{ name: "_http._tcp.local", type: "PTR", ttl: 120, data: "Box._http._tcp.local" }]);
  network.send([{ name: "_zeroconfai._tcp.local", type: "PTR", ttl: 120, data: "Box._http._tcp.local" }]);
  network.send([service, text, address ?? assert.fail()]); // without a PTR record
  network.send(recordsOf({ name: "Old", txt: ["version=9.0"] }));
  network.send(recordsOf({ name: "Zero", port: 0 }));
  assert.equal(found.size, 0);
  network.send([pointer], [service, text, address ?? assert.fail()]);
  assert.equal(found.size, 1);
});

test("browser: loopback addresses of other machines are not used", async (t) => {
  const { network, found } = await browsing(t);
  network.send(recordsOf({ addresses: ["127.0.0.1", "192.0.2.7", "::1"] }));
  assert.deepEqual(found.get(KEY)?.addresses, ["192.0.2.7"]);
  network.send(recordsOf({ name: "Only", host: "only.local", addresses: ["127.0.0.1"], port: 1 }));
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(found.size, 1);
});

test("browser: a flood of advertisements does not displace a provider that has answered", async (t) => {
  const { network, found, lost, known } = await browsing(t);
  network.send(recordsOf());
  known.add(KEY);
  for (let count = 0; count < 3 * MAX_INSTANCES; count += 1) network.send(recordsOf({ name: `Fake ${count}` }));
  assert.equal(found.size - lost.length, MAX_INSTANCES);
  assert.ok(lost.every(([key]) => key !== KEY));
  for (const key of found.keys()) known.add(key);
  network.send(recordsOf({ name: "Late" }));
  assert.ok(!found.has("late._zeroconfai._tcp.local"));
});

test("browser: at most 16 of many addresses of a host are kept", async (t) => {
  const { network, found } = await browsing(t);
  const addresses = Array.from({ length: 200 }, (_, index) => `198.51.100.${index + 1}`);
  network.send(recordsOf({ addresses }));
  assert.equal(found.get(KEY)?.addresses.length, 16);
});

test("browser: without a usable interface, the error gives the reason", async () => {
  const browser = new Browser({ found: () => undefined, lost: () => undefined, known: () => false }, [], () =>
    Promise.reject(new Error("no such device")),
  );
  await assert.rejects(browser.start(), { name: "NoProviderError", message: /not available: no such device/ });
  browser.close();
});
