import assert from "node:assert/strict";
import { X509Certificate, createHash } from "node:crypto";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { inspect } from "node:util";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { canonical, isPublic, ordered } from "../src/addresses.ts";
import { Client } from "../src/client.ts";
import { ApiError, parseRetryAfter } from "../src/errors.ts";
import { Endpoint, Upstream } from "../src/http.ts";
import { digest, keyId, prove } from "../src/key-proof.ts";
import { answeringURL, identityProbe } from "../src/probe.ts";
import { Provider } from "../src/provider.ts";
import { ServiceRecord } from "../src/record.ts";
import { CERTIFICATE, CERTIFICATE_KEY } from "./certificate.ts";
import { FakeProvider, json, raw } from "./http-server.ts";
import { vectors } from "./vectors.ts";

const FINGERPRINT = createHash("sha256").update(new X509Certificate(CERTIFICATE).raw).digest("base64url");

async function fake(t: TestContext): Promise<FakeProvider> {
  const made = await FakeProvider.start();
  t.after(() => made.stop());
  return made;
}

function upstream(t: TestContext, endpoint: Endpoint): Upstream {
  const made = new Upstream(endpoint, "Box");
  t.after(() => made.close());
  return made;
}

/** A TLS server that counts its requests. */
async function secure(t: TestContext, more: object = {}): Promise<{ url: string; requests: string[] }> {
  const requests: string[] = [];
  const server = createServer({ cert: CERTIFICATE, key: CERTIFICATE_KEY }, (request, response) => {
    requests.push(request.url ?? "");
    response.end(JSON.stringify({ status: "ok", id: "id-1", ...more }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, requests };
}

test("http: only a server with the pinned certificate gets the request", async (t) => {
  const { url, requests } = await secure(t);
  const pinned = upstream(t, new Endpoint(url, { fingerprint: FINGERPRINT, key: "secret" }));
  assert.deepEqual(await pinned.json("/health", { seconds: 5 }), { status: "ok", id: "id-1" });
  assert.deepEqual(await pinned.json("/health", { seconds: 5 }), { status: "ok", id: "id-1" });
  const other = upstream(t, new Endpoint(url, { fingerprint: "A".repeat(43), key: "secret" }));
  await assert.rejects(other.json("/health", { seconds: 5, secret: true }), /a different certificate/);
  const verified = upstream(t, new Endpoint(url));
  await assert.rejects(verified.json("/health", { seconds: 5 }), /its certificate cannot be verified/);
  assert.deepEqual(requests, ["/v1/health", "/v1/health"]);
  assert.equal(await identityProbe("Box", "id-1", undefined)({ baseURL: url, fingerprint: FINGERPRINT }), "known");
  assert.equal(await identityProbe("Box", "id-1", undefined)({ baseURL: url, fingerprint: "A".repeat(43) }), "silent");
});

test("probe: a new certificate is handed over by the pinned one only", async (t) => {
  interface HandOver {
    what: string;
    id: string;
    pinned: string;
    steps: object[];
  }
  const { id, pinned, steps } =
    vectors<HandOver[]>("hand-overs").find(({ what }) => what === "three renewals") ?? assert.fail();
  const { url, requests } = await secure(t, { id, handover: steps });
  const target = { baseURL: url, fingerprint: FINGERPRINT, handedOverBy: pinned };
  assert.equal(await identityProbe("Box", id, undefined)(target), "handed_over");
  assert.deepEqual(requests, [`/v1/health?handover=${pinned}`]);
  assert.equal(await identityProbe("Box", id, undefined)({ ...target, handedOverBy: "A".repeat(43) }), "known");
  assert.equal(await identityProbe("Box", "id-2", undefined)(target), "other");
  const another = { ...target, fingerprint: "A".repeat(43) };
  assert.equal(await identityProbe("Box", id, undefined)(another), "silent");
});

test("client: the pinned certificate is used also for an entered address", async (t) => {
  const { url } = await secure(t, { object: "list", data: [{ id: "model-1" }] });
  const trustFile = join(await mkdtemp(join(tmpdir(), "trust-")), "trusted.json");
  for (const [fingerprint, online] of [
    [null, false],
    [FINGERPRINT, true],
    ["A".repeat(43), false],
  ] as const) {
    await writeFile(trustFile, JSON.stringify([{ id: "id-1", name: "Box", fingerprint, base_url: url }]));
    const ai = new Client(url, { trustFile });
    t.after(() => ai.close());
    if (online) assert.equal((await ai.providers())[0]?.online, true);
    else await assert.rejects(ai.open(), /certificate/);
  }
});

test("http: another key applies to the next request, and running requests continue", async (t) => {
  const provider = await fake(t);
  provider.scripts = [raw(["one"], false)];
  const known = new Provider("id-1", "Box", new Endpoint(provider.url, { key: "old" }));
  t.after(() => known.close());
  const running = await known.upstream.open("/chat/completions", {
    method: "POST",
    body: "{}",
    seconds: 5,
    secret: true,
  });
  const record = new ServiceRecord([["id", "id-1"]], { name: "Box", host: "box.local", port: 1, addresses: [] });
  known.move(new Endpoint(provider.url, { key: "new" }), record);
  assert.equal(known.upstream.endpoint.key, "new");
  assert.ok(!running.destroyed);
  await known.upstream.json("/models", { seconds: 5, secret: true });
  assert.deepEqual(
    provider.requests.map(({ key }) => key),
    ["old", "new"],
  );
  assert.ok(!running.destroyed);
  running.destroy();
});

test("http: no connection is made to an advertised upstream with a private address", async (t) => {
  const { url } = await fake(t);
  const named = url.replace("127.0.0.1", "localhost");
  const guarded = upstream(t, new Endpoint(named, { publicOnly: true }));
  await assert.rejects(guarded.json("/health", { seconds: 5 }), ApiError);
  const plain = upstream(t, new Endpoint(named));
  assert.ok(await plain.json("/health", { seconds: 5 }));
});

test("http: an answer that is too large or never ends is an error", async (t) => {
  const provider = await fake(t);
  const box = upstream(t, new Endpoint(provider.url));
  provider.scripts = [raw(["x".repeat(2000)], false)];
  const sending = { method: "POST", body: "{}", seconds: 5 } as const;
  const large = await box.open("/chat/completions", sending);
  await assert.rejects(box.read(large, { bytes: 1000, seconds: 5 }), /more than 1000 bytes/);
  const endless = await box.open("/chat/completions", sending);
  await assert.rejects(box.read(endless, { seconds: 0.1 }), { status: 504 });
  provider.scripts = [() => undefined];
  await assert.rejects(box.open("/chat/completions", { ...sending, seconds: 0.1 }), { status: 504 });
});

test("http: an error contains the provider's message without keys and control characters", async (t) => {
  const provider = await fake(t);
  const box = upstream(t, new Endpoint(provider.url, { key: "my-own-key" }));
  provider.scripts = [
    json(400, { error: { message: "bad my-own-key sk-abcdefgh Bearer xyz \u001b[31m\u202e", code: "c" } }),
  ];
  await assert.rejects(box.open("/chat/completions", { method: "POST", body: "{}", seconds: 5 }), (error: ApiError) => {
    assert.equal(error.message.replace(/ +/g, " "), "bad *** *** Bearer *** [31m ");
    return error.code === "c" && error.kind === "request";
  });
  provider.scripts = [json(422, { detail: [{ loc: ["body", "top_p"], msg: "too large" }] })];
  await assert.rejects(box.open("/chat/completions", { method: "POST", body: "{}", seconds: 5 }), {
    message: "too large",
  });
});

test("http: a request on a connection that the server closed is sent on a new connection", async (t) => {
  const provider = await fake(t);
  const box = upstream(t, new Endpoint(provider.url));
  provider.scripts = [
    (response) => {
      response.setHeader("content-type", "application/json");
      response.end("{}", () => setImmediate(() => response.socket?.destroy()));
    },
    json(200, { choices: [] }),
  ];
  const sending = { method: "POST", body: "{}", seconds: 5 } as const;
  for (let count = 0; count < 2; count += 1) await box.json("/chat/completions", sending);
});

test("http: neither the console nor JSON shows a key", () => {
  const endpoint = new Endpoint("http://192.0.2.1/v1", { key: "my-own-key" });
  const provider = new Provider("id", "Box", endpoint);
  assert.doesNotMatch(inspect([endpoint, provider], { depth: 9 }) + JSON.stringify([endpoint, provider]), /my-own-key/);
});

test("provider: the key is sent only after the provider has identified itself", async (t) => {
  const provider = await fake(t);
  provider.key = "my-own-key";
  const at = { name: "Box", host: "box.local.", port: Number(new URL(provider.url).port), addresses: ["127.0.0.1"] };
  const made = new Provider(
    "id-1",
    "Box",
    new Endpoint(provider.url, { key: "my-own-key" }),
    new ServiceRecord([["id", "id-1"]], at),
  );
  t.after(() => made.close());
  await made.check();
  assert.deepEqual([made.state, made.info.models], ["healthy", ["model-1"]]);
  assert.deepEqual(provider.requests.slice(0, 2), [
    { path: "/v1/health", key: undefined },
    { path: "/v1/models", key: "my-own-key" },
  ]);
  provider.id = "another";
  provider.requests.length = 0;
  for (let count = 0; count < 3; count += 1) await made.check();
  assert.deepEqual([made.online, made.reason], [false, "a different provider answers at the confirmed address"]);
  assert.ok(provider.requests.every(({ key }) => key === undefined));
});

test("probe: of several addresses, the address that reports the advertised id is chosen", async (t) => {
  const [other, own] = [await fake(t), await fake(t)];
  other.id = "another";
  const port = Number(new URL(own.url).port);
  const record = new ServiceRecord([["id", "id-1"]], {
    name: "Box",
    host: "box.local.",
    port,
    addresses: ["127.0.0.9", "127.0.0.1"],
  });
  assert.equal(await answeringURL(record), own.url);
});

test("probe: a proof is checked against the address of the connection", async (t) => {
  const key = `zai_${"a".repeat(32)}`;
  for (const [claimed, expected] of [
    ["127.0.0.1", "proven"],
    ["192.0.2.1", "known"],
  ]) {
    const server = (await import("node:http")).createServer((request, response) => {
      const { searchParams } = new URL(request.url ?? "", "http://box");
      const challenge = Buffer.from(searchParams.get("challenge") ?? "", "base64url");
      const { localPort = 0 } = request.socket;
      assert.ok(
        searchParams.get("kid") === null || searchParams.get("kid") === keyId(digest(key)).toString("base64url"),
      );
      const proof = prove(digest(key), challenge, "id-1", claimed ?? "", localPort).toString("base64url");
      response.end(JSON.stringify({ id: "id-1", proof }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    t.after(() => {
      server.close();
      server.closeAllConnections();
    });
    const baseURL = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
    assert.equal(await identityProbe("Box", "id-1", key)({ baseURL, prove: true }), expected);
    assert.equal(await identityProbe("Box", "id-1", "chosen")({ baseURL, prove: true }), "known");
  }
});

test("addresses: public addresses are recognized, and each address has one spelling", () => {
  const given = [
    "1.1.1.1",
    "2606:4700::1",
    "64:ff9b::101:101",
    "10.0.0.1",
    "169.254.1.1",
    "::1",
    "fd00::1",
    "fe80::1%eth0",
  ];
  const others = [
    "100.64.0.1",
    "2002:a00:1::",
    "64:ff9b::a00:1",
    "2001:db8::1",
    "::ffff:10.0.0.1",
    "224.0.0.1",
    "0.0.0.0",
  ];
  const found = [...given, ...others].filter((address) => isPublic(canonical(address) ?? ""));
  assert.deepEqual(found, given.slice(0, 3));
  assert.deepEqual(
    ["::FFFF:192.0.2.1", "FE80::0:1%eth0", "1.2.3", "::1%", "a"].map((text) => canonical(text)),
    ["192.0.2.1", "fe80::1%eth0", undefined, undefined, undefined],
  );
  assert.deepEqual(ordered(["fe80::1%a", "fd00::1", "192.0.2.1", "192.0.2.1"], 2), ["192.0.2.1", "fd00::1"]);
});

test("errors: all forms of Retry-After are read", () => {
  const wait = (headers: Record<string, string>) => parseRetryAfter((name) => headers[name]);
  const soon = new Date(Date.now() + 60_000).toUTCString();
  assert.deepEqual(
    [wait({ "retry-after": "7" }), wait({ "retry-after-ms": "250" }), wait({}), wait({ "retry-after": "soon" })],
    [...[7, 0.25], ...[undefined, undefined]],
  );
  assert.ok(Math.abs((wait({ "retry-after": soon }) ?? 0) - 60) < 5);
  assert.deepEqual([wait({ "retry-after": "-3" }), wait({ "retry-after": "1e99" })], [0, 31 * 86_400]);
});
