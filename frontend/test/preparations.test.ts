import { expect, it } from "vitest";
import "../src/page.js";
import { fakeApi, live, member, show } from "./fake-api.js";

it("waking and loading are shown as progress of what they usually take", async () => {
  const now = Date.now() / 1000;
  const waking = { kind: "waking" as const, model: null, started: now - 10, usual: 40 };
  const slow = { kind: "loading" as const, model: "<b>qwen3</b>", started: now - 30, usual: 20 };
  const first = { kind: "loading" as const, model: "llama3", started: now - 1, usual: null };
  const providers = await show("zai-providers", {
    api: fakeApi({}),
    live: live({ members: [member({ preparations: [waking, slow, first] })] }),
  });
  const shown = providers.renderRoot.querySelector("zai-preparations")?.shadowRoot;
  const words = [...(shown?.querySelectorAll("p") ?? [])].map((one) => one.textContent);
  expect(words).toEqual([
    "providers.waking_of  10 sec 40 sec",
    "providers.loading_of <b>qwen3</b> 30 sec 20 sec",
    expect.stringMatching(/^providers.loading llama3 1/) as string,
  ]);
  const bars = [...(shown?.querySelectorAll("progress") ?? [])];
  expect(bars.map((bar) => bar.getAttribute("max"))).toEqual(["40", null, null]);
  expect(shown?.querySelector("b")).toBeNull();
});
