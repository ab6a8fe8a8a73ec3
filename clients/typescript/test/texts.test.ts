import assert from "node:assert/strict";
import { mkdtemp, readFile, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { baseURLOf } from "../src/base-url.ts";
import { EventDecoder, readEvent } from "../src/events.ts";
import { findModel, isForChat, parseModels, ranked, spellings, splits } from "../src/models.ts";
import { ServiceRecord, pairsOf } from "../src/record.ts";
import { readRequest } from "../src/request.ts";
import { clean, printable } from "../src/text.ts";
import { ThinkSplitter, joined, piecesOf } from "../src/thinking.ts";
import { TrustStore } from "../src/trust.ts";

test("events: the place where a stream is split does not change its events", () => {
  const stream =
    '\ufeff: ping\n\nevent: x\r\ndata: {"a":1}\r\n\r\ndata: one\ndata: two\n\ndata:{"b":2}\ndata: {"c":3}\n\ndata: [DONE]';
  const expected = ['{"a":1}', "one\ntwo", '{"b":2}', '{"c":3}', "[DONE]"];
  for (const size of [1, 2, 3, 7, 1000]) {
    const decoder = new EventDecoder();
    const found: string[] = [];
    for (let at = 0; at < stream.length; at += size) found.push(...decoder.feed(stream.slice(at, at + size)));
    assert.deepEqual([...found, ...decoder.flush()], expected, `in pieces of ${size}`);
  }
});

test("events: an event without an end is an error", () => {
  const decoder = new EventDecoder();
  assert.throws(() => {
    for (let count = 0; count < 20; count += 1) decoder.feed("x".repeat(1024 * 1024));
  }, RangeError);
});

test("events: tokens, errors and the end are told apart", () => {
  const kind = (data: string) => readEvent(data).kind;
  const choice = (fields: object) => JSON.stringify({ choices: [{ delta: fields, finish_reason: null }] });
  assert.deepEqual(
    [choice({ role: "assistant" }), choice({ content: "" }), choice({ content: "a" }), choice({ reasoning: "a" })].map(
      kind,
    ),
    ["chunk", "chunk", "token", "token"],
  );
  assert.deepEqual([choice({ tool_calls: [{}] }), '{"choices":[]}', '"[DONE]"', " [DONE] "].map(kind), [
    "token",
    "chunk",
    "done",
    "done",
  ]);
  assert.deepEqual(["no JSON", '{"error":"x"}', '{"error":null}', "[1]", "null"].map(kind), [
    "error",
    "error",
    "chunk",
    "chunk",
    "chunk",
  ]);
});

test("thinking: tags are found at every place where the text is split", () => {
  const text = "<think>What is it?</think>\n\nA <b>protocol</b> < TLS";
  for (const size of [1, 2, 5, 100]) {
    const splitter = new ThinkSplitter();
    const pieces = text.match(new RegExp(`[^]{1,${size}}`, "g"))?.flatMap((part) => splitter.feed(part)) ?? [];
    pieces.push(...splitter.flush());
    assert.deepEqual(
      [joined(pieces, true), joined(pieces, false)],
      ["What is it?", "A <b>protocol</b> < TLS"],
      `in pieces of ${size}`,
    );
  }
});

test("thinking: text before a closing tag without an opening tag is reasoning, unless the text mentions the tag", () => {
  assert.deepEqual(
    [joined(piecesOf("Hm.</think>Yes"), true), joined(piecesOf("Hm.</think>Yes"), false)],
    ["Hm.", "Yes"],
  );
  assert.equal(joined(piecesOf("The tag `</think>` ends it"), true), "");
});

test("models: the list formats of all servers are parsed", () => {
  const ids = (body: unknown) => parseModels(body).map(({ id }) => id);
  assert.deepEqual(ids({ data: [{ id: "a" }, { name: "b" }, { model: "c" }, {}, null, 7, "d", { id: "a" }] }), [
    "a",
    "b",
    "c",
    "d",
  ]);
  assert.deepEqual(
    [ids({ data: [], models: ["a"] }), ids({ models: { a: { context_window: 1 } } }), ids(["a"])],
    [["a"], ["a"], ["a"]],
  );
  assert.deepEqual([ids(null), ids("text"), ids({ data: "x" }), ids({ data: { a: "x", b: {} } })], [[], [], [], ["b"]]);
  assert.deepEqual(ids({ data: [{ id: "a\u202e\u0000b" }] }), ["ab"]);
  const [model] = parseModels([{ id: "a", max_model_len: "4096", capabilities: { vision: true, tools: false } }]);
  assert.deepEqual([model?.contextWindow, [...(model?.capabilities ?? [])]], [4096, ["vision", "completion"]]);
  assert.equal(parseModels(Array.from({ length: 20_000 }, (_, index) => `m${index}`)).length, 10_000);
});

test("models: names are compared, and models ranked", () => {
  const models = parseModels([
    { id: "nomic-embed" },
    { id: "auto", virtual: true },
    { id: "Big", warm: true },
    { id: "b:latest" },
  ]);
  assert.equal(findModel(models, "B")?.id, "b:latest");
  assert.equal(findModel(models, "big:latest")?.id, "Big");
  assert.deepEqual(
    ranked(models, new Set(["completion"])).map(({ id }) => id),
    ["Big", "b:latest"],
  );
  assert.deepEqual(
    ranked(models, new Set(["embeddings"])).map(({ id }) => id),
    ["nomic-embed"],
  );
  assert.ok(!isForChat({ ...(models[2] ?? assert.fail()), capabilities: new Set(["embeddings"]) }));
  assert.deepEqual([spellings("a%2Fb"), spellings("100%")], [["a%2Fb", "a/b"], ["100%"]]);
  assert.deepEqual(splits("a/b/c"), [
    ["a/b", "c"],
    ["a", "b/c"],
  ]);
});

test("requests: the required capabilities are found, and invalid bodies refused", () => {
  const needs = (body: object) => [
    ...readRequest("/chat/completions", { messages: [{ role: "user", content: "x" }], ...body }).needs,
  ];
  assert.deepEqual(needs({}), ["completion"]);
  assert.deepEqual(needs({ tools: [{}], response_format: { type: "json_object" } }), ["completion", "tools", "json"]);
  const parts = [{ type: "image_url" }, { type: "input_audio" }, { type: "text", text: "x".repeat(400) }];
  assert.deepEqual(needs({ messages: [{ role: "user", content: parts }] }), ["completion", "vision", "audio"]);
  assert.equal(
    readRequest("/chat/completions", { messages: [{ role: "user", content: parts }] }).estimatedTokens,
    1700,
  );
  assert.deepEqual([...readRequest("/embeddings", { input: "x" }).needs], ["embeddings"]);
  for (const body of [{}, { messages: [] }, { messages: "x" }, { messages: [{}], model: 7 }]) {
    assert.throws(() => readRequest("/chat/completions", body), { status: 400 });
  }
});

test("texts: characters that reorder or hide text are removed", () => {
  assert.equal(clean(" a\u202eb\u0000c\u200bd\u{e0100}\u00a0e\n "), "abcde");
  assert.equal(clean("Küche 🏠"), "Küche 🏠");
  assert.equal(clean("🏠".repeat(300), 3), "🏠🏠🏠");
  assert.equal(printable("a\u001b[2Jb", 100), "a [2Jb");
});

test("TXT records: strings without a key are ignored, and the number of keys is limited", () => {
  const strings = ["a=1=2", "A=3", "flag", "=x", "", "b="].map((text) => Buffer.from(text));
  assert.deepEqual(pairsOf(strings), [
    ["a", "1=2"],
    ["A", "3"],
    ["flag", ""],
    ["b", ""],
  ]);
  assert.equal(pairsOf(Array.from({ length: 1000 }, (_, index) => Buffer.from(`k${index}=1`))).length, 64);
  const [[, text] = []] = pairsOf([Buffer.from([0x61, 0x3d, 0xff, 0xfe])]);
  assert.equal(text, "\ufffd\ufffd");
});

test("URLs: common spellings of a base URL are read", () => {
  const found = [
    "box:8000",
    "http://box:8000/",
    "HTTPS://box/v1/v1//",
    "http://box/v1/chat/completions",
    "[fd00::1]:80",
    "box",
    "ftp://x",
    "Attic",
  ];
  assert.deepEqual(found.map(baseURLOf), [
    ...["http://box:8000/v1", "http://box:8000/v1", "https://box/v1", "http://box/v1", "http://[fd00::1]:80/v1"],
    ...[undefined, undefined, undefined],
  ]);
});

test("trust: pins are kept in the Python package's format, and an unreadable file is renamed", async () => {
  const folder = await mkdtemp(join(tmpdir(), "trust-"));
  const file = join(folder, "new", "trusted.json");
  const at = { name: "Box", host: "box.local.", port: 8000, addresses: ["192.0.2.1"] };
  const record = new ServiceRecord([["id", "one"]], at);
  const store = await TrustStore.open(file);
  assert.equal(store.judge(record), "new");
  await Promise.all([store.confirm(record, record.baseURL()), store.confirm(record, record.baseURL())]);
  assert.deepEqual(JSON.parse(await readFile(file, "utf8")), [
    { id: "one", name: "Box", fingerprint: null, base_url: "http://192.0.2.1:8000/v1" },
  ]);
  const again = await TrustStore.open(file);
  const judged = (txt: [string, string][], change: object = {}) =>
    again.judge(new ServiceRecord(txt, { ...at, ...change }));
  assert.equal(judged([["id", "one"]]), "known");
  assert.equal(judged([["id", "one"]], { addresses: ["192.0.2.2"] }), "moved");
  assert.equal(judged([["id", "two"]]), "changed");
  assert.equal(judged([["id", "two"]], { name: "Other" }), "new");
  for (const text of ["{", "{}", "[{}]", "[7]"]) {
    await writeFile(file, text);
    assert.equal((await TrustStore.open(file)).judge(record), "new");
    assert.deepEqual(await readdir(join(folder, "new")), ["trusted.json.unreadable"]);
  }
});
