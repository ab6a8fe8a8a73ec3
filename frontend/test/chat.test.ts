import { LitElement, html, render } from "lit";
import { describe, expect, it, vi } from "vitest";
import { HomeAssistantChat } from "../src/api/chat-home-assistant.js";
import type { HomeAssistant } from "../src/api/hass.js";
import type { ChatApi, ChatEvent, ChatHome, ChatMessage, Choice, Conversation } from "../src/api/chat.js";
import { applied } from "../src/chat/conversation.js";
import { markdown, safeAddress } from "../src/chat/markdown.js";
import "../src/views/chat.js";
import { fakeApi, fakeChat, texts } from "./fake-api.js";

async function show(tag: string, fields: object): Promise<LitElement> {
  const element = document.createElement(tag);
  if (!(element instanceof LitElement)) throw new Error(`${tag} is not defined`);
  document.body.replaceChildren(Object.assign(element, { texts, language: "en", ...fields }));
  await element.updateComplete;
  return element;
}

const root = (element: LitElement): ParentNode => element.renderRoot;
const textOf = (node: ParentNode | null | undefined): string => (node?.textContent ?? "").replace(/\s+/g, " ").trim();

function rendered(text: string): HTMLElement {
  const place = document.createElement("div");
  render(html`${markdown(text)}`, place);
  return place;
}

const message = (fields: Partial<ChatMessage> = {}): ChatMessage => ({
  id: "a1",
  role: "assistant",
  content: "",
  created: 0,
  images: [],
  details: {},
  ...fields,
});

const conversation = (fields: Partial<Conversation> = {}): Conversation => ({
  id: "c1",
  title: "Title",
  messages: [message({ id: "u1", role: "user", content: "Hi" }), message()],
  running: "a1",
  ...fields,
});

const AUTO: Choice = { backend_id: null, model: "auto", tools: true };

const home = (fields: Partial<ChatHome> = {}): ChatHome => ({
  providers: [
    {
      id: "attic",
      name: "Attic",
      kind: "backend",
      local: true,
      cost: "free",
      state: "healthy",
      known: true,
      available: true,
      running: 1,
      limit: 4,
      models: [
        { id: "qwen3:8b", warm: true, vision: false },
        { id: "llava", warm: false, vision: true },
      ],
    },
    {
      id: "cellar",
      name: "Cellar",
      kind: "backend",
      local: true,
      cost: "free",
      state: "offline",
      known: true,
      available: false,
      running: 0,
      limit: null,
      models: [],
    },
  ],
  tools: true,
  images: true,
  choice: AUTO,
  running: [],
  revision: 0,
  ...fields,
});

describe("markdown", () => {
  it("shows what models write", () => {
    const shown = rendered(
      "# Title\n\nSome **bold** and *soft* `code` & ~~gone~~ [link](https://example.org/a?b=1)\n\n- one\n- two\n\n3. three\n\n" +
        "```python\nprint('<b>')\n```\n\n> quoted\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n---\n- [x] done",
    );
    expect(textOf(shown.querySelector("h3"))).toBe("Title");
    expect(textOf(shown.querySelector("strong"))).toBe("bold");
    expect(textOf(shown.querySelector("em"))).toBe("soft");
    expect(textOf(shown.querySelector("del"))).toBe("gone");
    expect(textOf(shown.querySelector("pre code"))).toBe("print('<b>')");
    expect(shown.querySelectorAll("ul li")).toHaveLength(3);
    expect(shown.querySelector("ol")?.start).toBe(3);
    expect(textOf(shown.querySelector("blockquote"))).toBe("quoted");
    expect([...shown.querySelectorAll("th, td")].map(textOf)).toEqual(["a", "b", "1", "2"]);
    const link = shown.querySelector("a");
    expect([link?.getAttribute("href"), link?.rel, link?.target]).toEqual([
      "https://example.org/a?b=1",
      "noopener noreferrer nofollow",
      "_blank",
    ]);
    expect(textOf(shown)).toContain("☑ done");
  });

  it.each([
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "<svg/onload=alert(1)>",
    "text <iframe src='//evil.example'></iframe> text",
    "<a href='javascript:alert(1)'>x</a>",
    "![x](https://evil.example/x.png)",
    "![x](javascript:alert(1))",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java&#10;script:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:x)",
    "[x](//evil.example)",
    "[x](/config/users)",
    '[x](https://evil.example "\\" onmouseover=alert(1)")',
    '<https://evil.example/" onclick=alert(1)>',
    "[a]: javascript:alert(1)\n\n[a]",
    "| <img src=x onerror=alert(1)> |\n|---|\n| <style>*{display:none}</style> |",
    "```\n</code></pre><script>alert(1)</script>\n```",
    "`</code><img src=x>`",
    "# <form action=//evil.example><input name=password>",
    "<details open ontoggle=alert(1)>",
  ])("keeps hostile text harmless: %s", (text) => {
    const shown = rendered(text);
    for (const element of shown.querySelectorAll("*")) {
      expect(element.localName).not.toMatch(
        /^(img|script|svg|iframe|style|form|input|object|embed|link|base|details)$/,
      );
      for (const { name, value } of element.attributes) {
        expect(name).not.toMatch(/^on/);
        if (name === "href") expect(value).toMatch(/^https?:\/\//);
      }
    }
  });

  it("shows HTML and character references as people wrote them", () => {
    expect(textOf(rendered("a <b>c</b> &amp; &lt;d&gt; &#39;e&#x27; &unknown; &#0;"))).toBe(
      "a <b>c</b> & <d> 'e' &unknown; &#0;",
    );
  });

  it.each([">".repeat(3000) + "x", `${"- ".repeat(500)}x`, "[".repeat(5000), "*a".repeat(3000), "`a".repeat(3001)])(
    "survives what is nested deeply or never ends",
    (text) => {
      expect(textOf(rendered(text)).length).toBeGreaterThan(0);
    },
  );

  it("keeps what is above while an answer grows, until a link is defined", () => {
    const place = document.createElement("div");
    const grown = (text: string): void => void render(html`${markdown(text)}`, place);
    grown("First [a]\n\nSec");
    const first = place.querySelector("p")?.firstChild;
    grown("First [a]\n\nSecond");
    expect(place.querySelector("p")?.firstChild).toBe(first);
    expect(textOf(place)).toBe("First [a]Second");
    grown("First [a]\n\nSecond\n\n[a]: https://example.org/");
    expect(place.querySelector("p a")?.getAttribute("href")).toBe("https://example.org/");
  });

  it("links lead to http and https only", () => {
    expect(safeAddress("https://example.org")).toBe("https://example.org/");
    for (const href of ["javascript:x", "mailto:a@b", "ftp://x", "x", "", "https://"])
      expect(safeAddress(href)).toBeNull();
  });
});

describe("a conversation", () => {
  it("follows the events of its home", () => {
    let state: Conversation | null = applied(null, { type: "conversation", ...conversation() });
    const notice = message({ id: "n1", role: "notice" });
    const events: Exclude<ChatEvent, { type: "home" | "deleted" }>[] = [
      { type: "reached", id: "a1", backend_id: "attic", backend: "Attic", model: "m" },
      { type: "message", message: notice, before: "a1" },
      { type: "delta", id: "a1", content: "", thinking: "Hm" },
      { type: "delta", id: "a1", content: "Hel", thinking: "" },
      { type: "delta", id: "a1", content: "lo", thinking: "" },
    ];
    for (const event of events) state = applied(state, event);
    expect(state?.messages.map(({ id }) => id)).toEqual(["u1", "n1", "a1"]);
    expect(state?.messages[2]).toMatchObject({ content: "Hello", details: { thinking: "Hm", backend: "Attic" } });
    expect(state?.running).toBe("a1");
    state = applied(state, { type: "text", id: "a1", content: "Hello", thinking: "Hm, hm" });
    const ended = message({ content: "Hello", details: { outcome: "ok" } });
    state = applied(state, { type: "message", message: ended, running: false });
    expect(state?.running).toBeNull();
    expect(state?.messages).toHaveLength(3);
  });

  it("is not begun by what happens in another one", () => {
    expect(applied(null, { type: "delta", id: "x", content: "a", thinking: "" })).toBeNull();
  });
});

describe("an answer", () => {
  it("shows who gave it, how fast, at what cost, and what failed before", async () => {
    const details = {
      backend: "Attic",
      model: "qwen3:8b",
      tokens_prompt: 10,
      tokens_completion: 20,
      tokens_per_second: 34.5,
      first_token_ms: 400,
      cost: { EUR: 0.0012 },
      attempts: [{ backend: "Cellar", model: "m", reason: "refused" }],
      generation_ids: ["gen_1"],
      outcome: "ok" as const,
    };
    const link = (id: string): string => `#requests/${id}`;
    const shown = await show("zai-chat-message", {
      api: fakeChat(),
      link,
      message: message({ content: "Hi", details }),
    });
    const facts = textOf(shown.renderRoot.querySelector(".facts"));
    for (const fact of [
      "Attic",
      "qwen3:8b",
      "chat.tokens 10 20",
      "34.5",
      "400 ms",
      "€0.0012",
      "Cellar m refused",
      "gen_1",
    ])
      expect(facts).toContain(fact);
    expect(root(shown).querySelector(".facts a")?.getAttribute("href")).toBe("#requests/gen_1");
  });

  it("folds its reasoning and its tools, and shows the entities that they touched", async () => {
    const entities = vi.fn<ChatApi["entities"]>((_, onStates) => {
      onStates({ "light.kitchen": { name: "<b>Kitchen</b>", state: "on", unit: "" } });
      return () => undefined;
    });
    const tool = {
      id: "t",
      name: "HassTurnOn",
      arguments: "{}",
      result: "{}",
      error: false,
      entities: ["light.kitchen"],
    };
    const details = { thinking: "<i>Hm</i>", tools: [tool] };
    const shown = await show("zai-chat-message", { api: fakeChat({ entities }), message: message({ details }) });
    const folded = [...shown.renderRoot.querySelectorAll("details")];
    expect(folded.map((one) => one.open)).toEqual([false, false]);
    expect(shown.renderRoot.querySelector("i, b")).toBeNull();
    const rows = shown.renderRoot.querySelector<LitElement>("zai-chat-entities");
    await rows?.updateComplete;
    await rows?.updateComplete;
    expect(textOf(rows?.renderRoot)).toBe("<b>Kitchen</b> on");
  });

  it("that was asked for again is folded, and a notice says who answers now", async () => {
    const former = await show("zai-chat-message", {
      api: fakeChat(),
      message: message({ content: "Old", details: { replaced: true, backend: "Attic" } }),
    });
    expect(textOf(former.renderRoot.querySelector("details > summary"))).toBe("chat.former Attic");
    const notice = message({ role: "notice", content: "x", details: { origin: "Attic", target: "Cellar" } });
    const shown = await show("zai-chat-message", { api: fakeChat(), message: notice });
    expect(textOf(shown.renderRoot)).toContain("chat.switched Attic Cellar");
  });
});

describe("the picker", () => {
  it("offers Auto first, greys out what is offline, and shows use and loaded models", async () => {
    const picker = await show("zai-chat-picker", { home: home(), choice: AUTO });
    const [providers, models] = [...picker.renderRoot.querySelectorAll("select")];
    const offered = [...(providers?.options ?? [])];
    expect(offered.map((one) => textOf(one))).toEqual([
      "chat.auto_provider",
      "Attic (states.healthy, chat.used 1 / 4)",
      "Cellar (states.offline)",
    ]);
    expect(offered.map((one) => one.disabled)).toEqual([false, false, true]);
    expect([...(models?.options ?? [])].map((one) => textOf(one))).toEqual([
      "chat.auto_model",
      "llava (chat.cold)",
      "qwen3:8b (providers.warm)",
    ]);
  });

  it("keeps the model only if the provider has it", async () => {
    const chosen = vi.fn();
    const picker = await show("zai-chat-picker", { home: home(), choice: { ...AUTO, model: "other" } });
    picker.addEventListener("choice", (event) => void chosen((event as CustomEvent<Choice>).detail));
    const select = picker.renderRoot.querySelector("select");
    if (!select) throw new Error("the picker has no providers");
    select.value = "attic";
    select.dispatchEvent(new Event("change"));
    expect(chosen).toHaveBeenCalledWith({ backend_id: "attic", model: "auto", tools: true });
  });
});

describe("the chat", () => {
  async function opened(
    answers: Partial<ChatApi> = {},
  ): Promise<{ view: LitElement; tell: (event: ChatEvent) => void }> {
    let tell: (event: ChatEvent) => void = () => undefined;
    const follow: ChatApi["follow"] = (_, onEvent) => {
      tell = onEvent;
      return () => undefined;
    };
    const view = await show("zai-chat", { api: fakeApi({ chat: fakeChat({ follow, ...answers }) }) });
    tell({ type: "home", ...home() });
    await view.updateComplete;
    return { view, tell: (event) => tell(event) };
  }

  it("offers four things to ask, and begins a conversation with one", async () => {
    const create = vi.fn(() => Promise.resolve("c9"));
    const send = vi.fn(() => Promise.resolve());
    const { view } = await opened({ create, send });
    const ideas = [...root(view).querySelectorAll<HTMLButtonElement>(".ideas button")];
    expect(ideas).toHaveLength(4);
    ideas[0]?.click();
    await vi.waitFor(() => expect(send).toHaveBeenCalledWith("c9", "chat.idea_state", AUTO, null));
    root(view).querySelector<HTMLButtonElement>(".top .main")?.click(); // the next test begins without a conversation
  });

  it("uploads images before the message that they belong to", async () => {
    const calls: string[] = [];
    const { view } = await opened({
      create: () => Promise.resolve("c9"),
      upload: (id, messageId, image) => {
        calls.push(`upload ${id} ${messageId} ${image.name}`);
        return Promise.resolve();
      },
      send: (id, text, _, messageId) => {
        calls.push(`send ${id} ${text} ${messageId ?? ""}`);
        return Promise.resolve();
      },
    });
    const detail = { text: "What is this?", images: [new File(["x"], "a.png"), new File(["y"], "b.png")] };
    root(view).querySelector("zai-chat-composer")?.dispatchEvent(new CustomEvent("draft", { detail }));
    await vi.waitFor(() => expect(calls).toHaveLength(3));
    const messageId = calls[2]?.split(" ").at(-1) ?? "";
    expect(messageId).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
    expect(calls).toEqual([
      `upload c9 ${messageId} a.png`,
      `upload c9 ${messageId} b.png`,
      `send c9 What is this? ${messageId}`,
    ]);
    root(view).querySelector<HTMLButtonElement>(".top .main")?.click();
  });

  it("removes the conversation that it began if the message is not sent", async () => {
    const remove = vi.fn(() => Promise.resolve());
    const { view } = await opened({
      create: () => Promise.resolve("c9"),
      send: () => Promise.reject(new Error("Too long.")),
      remove,
    });
    const detail = { text: "x", images: [] };
    root(view).querySelector("zai-chat-composer")?.dispatchEvent(new CustomEvent("draft", { detail }));
    await vi.waitFor(() => expect(textOf(root(view).querySelector("[role=alert]"))).toBe("Too long."));
    expect(remove).toHaveBeenCalledWith("c9");
    expect(root(view).querySelector(".ideas")).not.toBeNull();
  });

  it("asks for new addresses when those of its images have expired, once a minute", async () => {
    const follow = vi.fn(() => () => undefined);
    const view = await show("zai-chat", { api: fakeApi({ chat: fakeChat({ follow }) }) });
    expect(follow).toHaveBeenCalledOnce();
    const messages = root(view).querySelector(".messages");
    for (let number = 0; number < 3; number++) messages?.dispatchEvent(new CustomEvent("stale"));
    expect(follow).toHaveBeenCalledTimes(2);
  });

  it("follows nothing while its browser tab is hidden", async () => {
    const end = vi.fn();
    const follow = vi.fn(() => end);
    await show("zai-chat", { api: fakeApi({ chat: fakeChat({ follow }) }) });
    const visible = vi.spyOn(document, "visibilityState", "get");
    visible.mockReturnValue("hidden");
    document.dispatchEvent(new Event("visibilitychange"));
    expect(end).toHaveBeenCalledOnce();
    visible.mockReturnValue("visible");
    document.dispatchEvent(new Event("visibilitychange"));
    expect(follow).toHaveBeenCalledTimes(2);
    visible.mockRestore();
  });

  it("says what to do where no provider is online", async () => {
    const { view, tell } = await opened();
    tell({ type: "home", ...home({ providers: [] }) });
    await view.updateComplete;
    expect(textOf(root(view).querySelector(".messages"))).toBe("chat.nobody");
  });
});

describe("the home", () => {
  it("of Home Assistant is told the person's language, and its entities are followed", async () => {
    const sent: unknown[] = [];
    let tell: (event: unknown) => void = () => undefined;
    const hass = {
      language: "de",
      connection: {
        addEventListener: () => undefined,
        removeEventListener: () => undefined,
        sendMessagePromise: () => Promise.resolve(null),
        subscribeMessage: (onEvent: (event: unknown) => void) => {
          tell = onEvent;
          return Promise.resolve(() => Promise.resolve());
        },
      },
    };
    const chat = new HomeAssistantChat(hass as unknown as HomeAssistant, <T>(command: string, fields?: object) => {
      sent.push([command, fields]);
      return Promise.resolve({} as T);
    });
    await chat.send("c1", "Hallo", AUTO, null);
    expect(sent).toEqual([["chat/send", { conversation_id: "c1", text: "Hallo", choice: AUTO, language: "de" }]]);
    const states: unknown[] = [];
    chat.entities(["sensor.a"], (found) => states.push(found));
    await new Promise(setImmediate);
    tell({ a: { "sensor.a": { s: "20", a: { friendly_name: "Warm", unit_of_measurement: "°C" } } } });
    tell({ c: { "sensor.a": { "+": { s: "21" } } } });
    tell({ r: ["sensor.a"] });
    expect(states).toEqual([
      { "sensor.a": { name: "Warm", state: "20", unit: "°C" } },
      { "sensor.a": { name: "Warm", state: "21", unit: "°C" } },
      {},
    ]);
  });
});
