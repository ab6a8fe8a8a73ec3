import assert from "node:assert/strict";
import { X509Certificate, createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { inspect } from "node:util";

import { Client } from "../src/client.ts";
import { NoProviderError } from "../src/errors.ts";
import { Endpoint } from "../src/http.ts";
import { CERTIFICATE, CERTIFICATE_KEY } from "./certificate.ts";

const FINGERPRINT = createHash("sha256").update(new X509Certificate(CERTIFICATE).raw).digest("base64url");

/** A server that requires a client certificate of its authority, which here is the certificate itself. */
async function mutual(t: TestContext): Promise<{ url: string; requests: string[] }> {
  const requests: string[] = [];
  const options = { cert: CERTIFICATE, key: CERTIFICATE_KEY, ca: CERTIFICATE, requestCert: true };
  const server = createServer(options, (request, response) => {
    requests.push(request.url ?? "");
    const answers: Record<string, unknown> = {
      "/v1/health": { status: "ok", id: "id-1" },
      "/v1/models": { object: "list", data: [{ id: "m", object: "model" }] },
      "/v1/chat/completions": { choices: [{ message: { content: "Hello" }, finish_reason: "stop" }] },
    };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(answers[request.url ?? ""] ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, requests };
}

/** A folder as `zeroconf-ai enroll` leaves it. */
async function enrolled(t: TestContext, url: string, pin = FINGERPRINT): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "enrolment-"));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "client.pem"), `${CERTIFICATE_KEY}\n${CERTIFICATE}\n`);
  await writeFile(join(folder, "enrolment.json"), JSON.stringify({ provider_id: "id-1", base_url: url, pin }));
  return folder;
}

test("enrolment: the client certificate is used for its provider", async (t) => {
  const { url, requests } = await mutual(t);
  const client = new Client(url, { enrolment: await enrolled(t, url) });
  t.after(() => client.close());
  assert.equal((await client.chat("Hi")).text, "Hello");
  assert.ok(requests.includes("/v1/chat/completions"));
});

test("enrolment: another certificate of the server gets nothing", async (t) => {
  const { url, requests } = await mutual(t);
  const client = new Client(url, { enrolment: await enrolled(t, url, "A".repeat(43)) });
  await assert.rejects(client.open(), /a different certificate/);
  assert.deepEqual(requests, []);
});

test("enrolment: it is not presented to another server", async (t) => {
  const { url, requests } = await mutual(t);
  const client = new Client(url, { enrolment: await enrolled(t, "https://127.0.0.1:9/v1") });
  await assert.rejects(client.open(), NoProviderError);
  assert.deepEqual(requests, []);
});

test("enrolment: a missing or damaged folder says how to enrol", async (t) => {
  const folder = await enrolled(t, "no URL");
  await assert.rejects(new Client("https://127.0.0.1:9", { enrolment: folder }).open(), /zeroconf-ai enroll HOST/);
  const missing = join(folder, "missing");
  await assert.rejects(new Client("https://127.0.0.1:9", { enrolment: missing }).open(), /has no enrolment/);
});

test("enrolment: the private key is not printed", () => {
  const endpoint = new Endpoint("https://a/v1", { fingerprint: FINGERPRINT, certificate: CERTIFICATE_KEY });
  assert.doesNotMatch(inspect(endpoint, { depth: 9, showHidden: true }) + JSON.stringify(endpoint), /PRIVATE/);
});
