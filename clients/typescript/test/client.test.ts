import assert from "node:assert/strict";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { inspect } from "node:util";

import { Client } from "../src/client.ts";
import { Connections, type Wanted } from "../src/connections.ts";
import { openai } from "../src/openai.ts";
import { FakeProvider, delta, event, json, raw, said, streamed } from "./http-server.ts";
import { type Advertised, Network, recordsOf } from "./network.ts";

async function fake(t: TestContext, id = "id-1"): Promise<FakeProvider> {
  const made = await FakeProvider.start();
  made.id = id;
  t.after(() => made.stop());
  return made;
}

/** A client of one provider, which is given by its URL. */
async function known(t: TestContext, key?: string): Promise<{ provider: FakeProvider; ai: Client }> {
  const provider = await fake(t);
  if (key !== undefined) provider.key = key;
  const ai = new Client(provider.url, key === undefined ? {} : { key });
  t.after(() => ai.close());
  return { provider, ai };
}

/** Searches on a network with these advertisements, at addresses to which nothing is sent (RFC 5737). */
function searching(wanted: Partial<Wanted>, ...advertised: Advertised[]): Promise<Connections> {
  const network = new Network();
  const answer = () =>
    advertised.forEach((given) => network.send(recordsOf({ addresses: ["198.51.100.7"], ...given })));
  network.asked = () => queueMicrotask(answer);
  const full = {
    provider: undefined,
    key: undefined,
    trust: false,
    interfaces: ["127.0.0.1"],
    trustFile: undefined,
    ...wanted,
  };
  return Connections.open(full, network.open);
}

test("connections: if two providers have the same name, neither gets the key", async () => {
  const twice = [
    { name: "Attic", host: "one.local", txt: ["id=one", "auth=token"] },
    { name: "Attic", host: "two.local", txt: ["id=two", "auth=token"], type: "_saturn._tcp.local" },
  ];
  const search = searching({ provider: "attic", key: "my-own-key" }, ...twice);
  await assert.rejects(search, { message: "Several providers have the name Attic. Set the id of one: one, two." });
});

test("connections: a changed identity is refused until it is trusted", async () => {
  const trustFile = join(await mkdtemp(join(tmpdir(), "trust-")), "trusted.json");
  await writeFile(
    trustFile,
    JSON.stringify([{ id: "one", name: "Attic", fingerprint: null, base_url: "http://198.51.100.9:8000/v1" }]),
  );
  const search = searching({ provider: "Attic", trustFile }, { name: "Attic", txt: ["id=two"] });
  await assert.rejects(search, /Attic has another identity than when it was first used.*pass trust: true once/);
});

test("connections: if no provider can be used, the error gives the reason", async () => {
  const locked = searching({}, { name: "Attic", txt: ["auth=token"] });
  const invalid = { name: "Cellar", txt: ["tls=1", "fp=AAAA"] };
  const [open, named] = [searching({}, invalid), searching({ provider: "Cellar" }, invalid)];
  await Promise.all([
    assert.rejects(locked, {
      name: "NoProviderError",
      message:
        'Set a provider, new Client("NAME"): an API key is sent only to the provider that you name, and each provider' +
        " requires one or has a changed identity. Found: Attic.",
    }),
    ...[open, named].map((search) =>
      assert.rejects(search, {
        name: "NoProviderError",
        message: "Cellar advertises an invalid certificate fingerprint.",
      }),
    ),
  ]);
});

test("client: chat, stream, embeddings, models", async (t) => {
  const { provider, ai } = await known(t);
  provider.models = [{ id: "model-1" }, { id: "auto", virtual: true }];
  provider.scripts = [
    said("<think>Hm.</think>Hello"),
    streamed("<think>Hm", ".</think>", "Hel", "lo"),
    json(200, {
      data: [
        { index: 1, embedding: [2] },
        { index: 0, embedding: [1] },
      ],
    }),
    json(200, { data: [{ embedding: [1] }] }),
  ];
  const answer = await ai.chat("Hi", { temperature: 0.5 });
  assert.deepEqual(
    [answer.text, answer.reasoning, answer.usage.promptTokens, answer.finishReason],
    ["Hello", "Hm.", 3, "stop"],
  );
  assert.deepEqual(provider.bodies[0], {
    ...{ temperature: 0.5, model: "model-1", stream: false },
    messages: [{ role: "user", content: "Hi" }],
  });
  const stream = ai.stream("Hi");
  const pieces: string[] = [];
  for await (const piece of stream) pieces.push(piece);
  assert.deepEqual([pieces.join(""), stream.answer.reasoning, stream.answer.model], ["Hello", "Hm.", "model-1"]);
  provider.models.push({ id: "embed" });
  await ai.check();
  assert.deepEqual(await ai.embed(["one", "two"]), [[1], [2]]);
  await assert.rejects(ai.embed(["one", "two"]), /without embeddings/);
  assert.deepEqual(
    (await ai.models()).map(({ id }) => id),
    ["model-1", "embed"],
  );
  assert.deepEqual(
    (await ai.providers()).map(({ online, models }) => [online, models]),
    [[true, ["model-1", "embed"]]],
  );
});

test("client: tool calls are read from fragments and from a complete answer", async (t) => {
  const { provider, ai } = await known(t);
  const first = { index: 0, id: "call-1", function: { name: "read", arguments: '{"room"' } };
  const rest = { index: 0, function: { arguments: ':"attic"}' } };
  provider.scripts = [
    raw([delta({ tool_calls: [first] }), delta({ tool_calls: [rest] }), delta({}, "tool_calls"), event("[DONE]")]),
  ];
  const stream = ai.stream("Read", { tools: [{ type: "function", function: { name: "read" } }] });
  for await (const piece of stream) assert.fail(piece);
  assert.deepEqual(stream.answer.toolCalls, [{ id: "call-1", name: "read", arguments: '{"room":"attic"}' }]);
  const call = { id: "call-1", type: "function", function: { name: "read", arguments: { room: "attic" } } };
  provider.scripts = [
    json(200, { choices: [{ message: { content: null, tool_calls: [call] }, finish_reason: "tool_calls" }] }),
  ];
  const answer = await ai.chat("Read");
  assert.deepEqual(answer.toolCalls, stream.answer.toolCalls);
  assert.deepEqual(answer.message, stream.answer.message);
});

test("client: a session sends its earlier messages with each question", async (t) => {
  const { provider, ai } = await known(t);
  await ai.chat("My cat is Mia.", { session: "cats" });
  await ai.chat("Her name?", { session: "cats" });
  await ai.chat("Her name?");
  assert.deepEqual(
    provider.bodies.map(({ messages }) => (messages as unknown[]).length),
    [1, 3, 1],
  );
  await assert.rejects(ai.chat([{ role: "user", content: "Hi" }], { session: "cats" }), { param: "session" });
  await assert.rejects(ai.chat("Hi", { session: "a/b" }), { param: "session" });
});

test("client: a key requires a provider, and no output shows the key", async (t) => {
  assert.throws(() => new Client(undefined, { key: "my-own-key" }), TypeError);
  const { ai } = await known(t, "my-own-key");
  assert.equal((await ai.chat("Hi")).text, "Hello");
  assert.equal((await ai.endpoint()).apiKey, "my-own-key");
  assert.doesNotMatch(inspect(ai, { depth: 9, showHidden: true }) + JSON.stringify(ai), /my-own-key/);
});

test("client: errors say what to do", async (t) => {
  const { provider } = await known(t, "my-own-key");
  await assert.rejects(new Client(provider.url).open(), /requires an API key. Set key./);
  await assert.rejects(new Client(provider.url, { key: "wrong" }).open(), /does not accept this API key/);
  const { url } = provider;
  provider.stop();
  await assert.rejects(new Client(url).open(), { name: "NoProviderError", message: /refused/ });
});

test("fetch: answers and errors have the form of a server's responses", async (t) => {
  const { provider, ai } = await known(t);
  const body = { model: "auto", messages: [{ role: "user", content: "Hi" }] };
  const post = (path: string, given: unknown, headers = {}) =>
    ai.fetch(`${ai.baseURL}${path}`, {
      method: "POST",
      body: typeof given === "string" ? given : JSON.stringify(given),
      headers,
    });
  const answer = await post("/chat/completions", body, {
    authorization: "Bearer sk-of-the-cloud",
    "x-request-id": "r-1",
  });
  assert.deepEqual([answer.status, answer.headers.get("x-zeroconfai-model")], [200, "model-1"]);
  assert.equal(provider.requests.at(-1)?.key, undefined);
  provider.scripts = [streamed("Hel", "lo")];
  const text = await (await post("/chat/completions", { ...body, stream: true })).text();
  assert.match(text, /Hel[^]*lo[^]*\[DONE\]/);
  const status = async (path: string, given: unknown) => (await post(path, given)).status;
  assert.deepEqual(
    [
      await status("/responses", body),
      await status("/chat/completions", "{"),
      await status("/chat/completions", { model: "x" }),
    ],
    [404, 400, 400],
  );
  const models = (await (await ai.fetch(`${ai.baseURL}/models`)).json()) as { data: { id: string }[] };
  assert.deepEqual(
    models.data.map(({ id }) => id),
    ["model-1"],
  );
  provider.scripts = [json(429, { error: { message: "Slow down" } }, { "retry-after": "7" })];
  const refused = await post("/chat/completions", body);
  assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "7"]);
});

test("openai: keys and organizations in environment variables are not used", async (t) => {
  const { provider, ai } = await known(t);
  Object.assign(process.env, {
    OPENAI_API_KEY: "sk-of-the-cloud",
    OPENAI_BASE_URL: "http://192.0.2.1",
    OPENAI_ORG_ID: "org",
  });
  t.after(() =>
    ["OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID"].forEach((name) => Reflect.deleteProperty(process.env, name)),
  );
  const answer = await openai(ai).chat.completions.create({
    model: "auto",
    messages: [{ role: "user", content: "Hi" }],
  });
  assert.equal(answer.choices[0]?.message.content, "Hello");
  assert.equal(provider.requests.at(-1)?.key, undefined);
});
