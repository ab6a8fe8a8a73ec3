import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import { Stream, wholeAnswer } from "../src/answers.ts";
import { ApiError } from "../src/errors.ts";
import { Endpoint, TIMEOUTS, type Timeouts } from "../src/http.ts";
import { Provider } from "../src/provider.ts";
import { ServiceRecord } from "../src/record.ts";
import { readRequest } from "../src/request.ts";
import { Router } from "../src/router.ts";
import { FakeProvider, type Script, delta, event, json, raw, said, streamed } from "./http-server.ts";

interface Pair {
  first: FakeProvider;
  second: FakeProvider;
  providers: Provider[];
  router: Router;
  confirmed: string[];
}

/** Two providers; the first has the better priority. `txt`: the TXT record of each provider. */
async function pair(
  t: TestContext,
  txt: [string, string][] = [],
  timeouts: Partial<Timeouts> = {},
  status?: unknown,
): Promise<Pair> {
  const [first, second] = [await FakeProvider.start(), await FakeProvider.start()];
  first.status = status;
  const providers = [first, second].map((fake, index) => {
    fake.id = `id-${index + 1}`;
    const record = new ServiceRecord([["id", fake.id], ["priority", String(index + 1)], ...txt], {
      name: ["First", "Second"][index] ?? "",
      host: "box.local.",
      port: Number(new URL(fake.url).port),
      addresses: ["127.0.0.1"],
    });
    return new Provider(record.id, record.name, new Endpoint(fake.url), record);
  });
  t.after(() => [first, second].forEach((fake) => fake.stop()));
  t.after(() => providers.forEach((provider) => provider.close()));
  await Promise.all(providers.map((provider) => provider.check()));
  const confirmed: string[] = [];
  const confirm = ({ name }: Provider) => Promise.resolve(void confirmed.push(name));
  return {
    first,
    second,
    providers,
    confirmed,
    router: new Router({ providers, confirm }, { ...TIMEOUTS, ...timeouts }),
  };
}

const chat = (more: object = {}) =>
  readRequest("/chat/completions", { messages: [{ role: "user", content: "Hi" }], model: "auto", ...more });

async function piecesOf(stream: AsyncIterable<string>): Promise<string[]> {
  const pieces: string[] = [];
  for await (const piece of stream) pieces.push(piece);
  return pieces;
}

const CASES: [string, Script, string | undefined][] = [
  ["a rate limit", json(429, { error: { message: "Slow down" } }, { "retry-after": "1" }), undefined],
  ["no capacity", json(503, { error: { message: "Full" } }, { "retry-after": "1" }), undefined],
  ["a refused key", json(401, { error: { message: "Wrong key" } }), undefined],
  ["a removed model", json(404, { error: { message: "model not found", code: "model_not_found" } }), undefined],
  ["a redirect", json(302, {}, { location: "http://192.0.2.1/" }), undefined],
  ["an answer that is not JSON", raw(["<html>"]), undefined],
  ["an empty answer", json(200, {}), undefined],
  ["an error with status 200", json(200, { error: { message: "Out of memory" } }), undefined],
  ["JSON that is not an object", json(200, [1, 2]), undefined],
];

for (const [what, script] of CASES) {
  test(`router: ${what} leads to the next provider`, async (t) => {
    const { first, second, router, confirmed } = await pair(t);
    first.scripts = [script];
    const answer = wholeAnswer(await router.route(chat()));
    assert.equal(answer.provider, "Second");
    assert.deepEqual(Object.keys(answer.failed), ["First"]);
    assert.deepEqual([first.bodies.length, second.bodies.length], [1, 1]);
    assert.deepEqual(confirmed, ["Second"]);
  });
}

for (const [what, script] of [
  ["an error event", raw([delta({ role: "assistant" }), event({ error: { message: "Out of memory" } })])],
  ["a stream that ends before its first token", raw([delta({ role: "assistant" })])],
  ["a stream with only its end", raw([event("[DONE]")])],
  ["a stream of text", raw(["data: hello\n\n"])],
  ["a bare error in the stream", raw(['error: {"code": 500, "message": "no slot"}\n\n'])],
] satisfies [string, Script][]) {
  test(`router: ${what} leads to the next provider`, async (t) => {
    const { first, second, router } = await pair(t);
    first.scripts = [script];
    second.scripts = [streamed("by ", "Second")];
    const stream = new Stream(
      () => router.route(chat({ stream: true })),
      () => undefined,
    );
    assert.equal((await piecesOf(stream)).join(""), "by Second");
    assert.deepEqual(Object.keys(stream.answer.failed), ["First"]);
    assert.equal(stream.answer.usage.completionTokens, 2);
  });
}

test("router: a provider that sends no token before the deadline is left for the next one", async (t) => {
  const { first, second, router } = await pair(t, [], { firstToken: 0.2 });
  first.scripts = [raw([": ping\n\n"], false)];
  second.scripts = [streamed("by Second")];
  const stream = new Stream(
    () => router.route(chat({ stream: true })),
    () => undefined,
  );
  assert.deepEqual(await piecesOf(stream), ["by Second"]);
});

test("router: after a timeout of a metered provider, no other provider is asked", async (t) => {
  const { first, second, router } = await pair(t, [["cost", "metered"]], { answer: 0.2 });
  first.scripts = [() => undefined];
  await assert.rejects(router.route(chat()), { status: 504 });
  assert.equal(second.bodies.length, 0);
});

test("router: after a server error, the same provider is asked once more", async (t) => {
  const { first, second, router } = await pair(t);
  first.scripts = [json(500, { error: { message: "Oops" } }), said("second try")];
  const answer = wholeAnswer(await router.route(chat()));
  assert.deepEqual([answer.text, answer.failed, second.bodies.length], ["second try", {}, 0]);
});

for (const status of [400, 413, 422]) {
  test(`router: after status ${status}, an error of the request, no other provider gets the prompt`, async (t) => {
    const { first, second, router } = await pair(t);
    first.scripts = [json(status, { error: { message: "temperature is too high", param: "temperature" } })];
    await assert.rejects(router.route(chat()), { status, message: "temperature is too high", param: "temperature" });
    assert.equal(second.bodies.length, 0);
  });
}

test("router: after the first token, no other provider is asked", async (t) => {
  const { first, second, router } = await pair(t);
  first.scripts = [raw([delta({ content: "One" }), event({ error: { message: "Out of memory" } })])];
  const stream = new Stream(
    () => router.route(chat({ stream: true })),
    () => undefined,
  );
  const heard: string[] = [];
  await assert.rejects(async () => {
    for await (const piece of stream) heard.push(piece);
  }, ApiError);
  assert.deepEqual([heard, second.bodies.length], [["One"], 0]);
  assert.throws(() => stream.answer, /not read to its end/);
});

test("router: a stream that is cut off is an error", async (t) => {
  const { first, router } = await pair(t);
  first.scripts = [raw([delta({ content: "One" })])];
  const stream = new Stream(
    () => router.route(chat({ stream: true })),
    () => undefined,
  );
  await assert.rejects(piecesOf(stream), /ended its answer early/);
});

test("router: leaving a stream ends the request", async (t) => {
  const { first, providers, router } = await pair(t);
  const closed = new Promise<void>((resolve) => {
    first.scripts = [
      (response, request) => {
        raw([delta({ content: "One" })], false)(response, request);
        response.once("close", resolve);
      },
    ];
  });
  for await (const piece of new Stream(
    () => router.route(chat({ stream: true })),
    () => undefined,
  )) {
    assert.equal(piece, "One");
    break;
  }
  await closed;
  assert.equal(providers[0]?.active, 0);
});

test("router: an aborted request ends, and no other provider is asked", async (t) => {
  const { first, second, router } = await pair(t);
  const asked = new Promise<void>((resolve) => {
    first.scripts = [() => resolve()];
  });
  const controller = new AbortController();
  const answer = router.route(chat(), { signal: controller.signal });
  await Promise.all([asked.then(() => controller.abort()), assert.rejects(answer, { name: "AbortError" })]);
  assert.equal(second.bodies.length, 0);
});

test("router: a complete answer to a streamed request becomes one chunk", async (t) => {
  const { first, router } = await pair(t);
  first.scripts = [said("At once")];
  const stream = new Stream(
    () => router.route(chat({ stream: true })),
    () => undefined,
  );
  assert.deepEqual(await piecesOf(stream), ["At once"]);
  assert.equal(stream.answer.finishReason, "stop");
});

test("router: an unreachable provider is tried last, and the error gives the reason for each provider", async (t) => {
  const { first, second, providers, router } = await pair(t);
  first.stop();
  assert.equal(wholeAnswer(await router.route(chat())).provider, "Second");
  assert.equal(providers[0]?.online, false);
  second.stop();
  await assert.rejects(router.route(chat()), /No provider could answer. Second: .*refused/);
});

test("router: the preferred provider that can answer is chosen", async (t) => {
  const { first, second, providers, router } = await pair(t);
  second.models = [
    { id: "Llama3:latest" },
    { id: "small", context_window: 2 },
    { id: "seer", capabilities: ["vision"] },
  ];
  for (const provider of providers) provider.forgetModels();
  await Promise.all(providers.map((provider) => provider.check()));
  const image = [{ role: "user", content: [{ type: "image_url", image_url: { url: "data:," } }] }];
  const chosen: [object, string, string][] = [
    [{}, "First", "model-1"],
    [{ model: "llama3" }, "Second", "Llama3:latest"],
    [{ model: "second/LLAMA3" }, "Second", "Llama3:latest"],
    [{ model: "Second" }, "Second", "Llama3:latest"],
    [{ model: "id-2/auto" }, "Second", "Llama3:latest"],
    [{ model: "seer", messages: image }, "Second", "seer"],
  ];
  for (const [asked, provider, model] of chosen) {
    const { candidate } = await router.route(chat(asked));
    assert.deepEqual([candidate.provider.name, candidate.model], [provider, model], JSON.stringify(asked));
  }
  assert.equal(second.bodies.at(-1)?.model, "seer");
  const long = [{ role: "user", content: "word ".repeat(100) }];
  await assert.rejects(router.route(chat({ model: "small", messages: long })), { code: "context_length_exceeded" });
  await assert.rejects(router.route(chat({ model: "seer", tools: [{ type: "function" }] })), {
    code: "unsupported_capability",
  });
  await assert.rejects(router.route(chat({ model: "nothing" })), { status: 404, code: "model_not_found" });
  assert.equal(first.bodies.length, 1);
});

test("router: a provider with free capacity precedes a full provider", async (t) => {
  const { router } = await pair(t, [], {}, { queue: { active: 4, depth: 0, max_concurrent: 4 } });
  assert.equal((await router.route(chat())).candidate.provider.name, "Second");
});

test("router: a session stays with its provider", async (t) => {
  const { router, providers } = await pair(t);
  await router.route(chat({ model: "Second" }), { session: "cats" });
  assert.equal((await router.route(chat(), { session: "cats" })).candidate.provider.name, "Second");
  assert.equal((await router.route(chat())).candidate.provider.name, "First");
  providers[1]?.leave();
  assert.equal((await router.route(chat(), { session: "cats" })).candidate.provider.name, "First");
});

test("router: no more requests run at a provider than its limit allows", async (t) => {
  const { first, providers, router } = await pair(t, [], {}, { queue: { active: 0, depth: 0, max_concurrent: 1 } });
  providers.pop()?.close();
  let running = 0;
  let most = 0;
  first.scripts = [
    (response, request) => {
      running += 1;
      most = Math.max(most, running);
      setTimeout(() => {
        running -= 1;
        said("Hello")(response, request);
      }, 20);
    },
  ];
  await Promise.all([1, 2, 3].map(() => router.route(chat())));
  assert.deepEqual([most, first.bodies.length, providers[0]?.active], [1, 3, 0]);
});

test("router: an endless answer is an error, before and after its first token", async (t) => {
  const { first, second, router } = await pair(t);
  const endless = (part: string): Script => {
    return (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const more = () => {
        while (response.write(part));
        response.once("drain", more);
      };
      more();
    };
  };
  const role = delta({ role: "assistant", padding: "x".repeat(500_000) });
  first.scripts = [endless(role)];
  second.scripts = [endless(delta({ content: "x".repeat(500_000) }))];
  const stream = new Stream(
    () => router.route(chat({ stream: true })),
    () => undefined,
  );
  await assert.rejects(piecesOf(stream), /Second answered with more than \d+ characters/);
  assert.deepEqual([first.bodies.length, second.bodies.length], [1, 1]);
});
