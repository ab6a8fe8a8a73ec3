import { expect, it, vi } from "vitest";
import "../src/page.js";
import { PageError } from "../src/api/errors.js";
import { fakeApi, finding, live, member, show } from "./fake-api.js";

it("the home-only switch is set, and goes back with a sentence if the home refuses", async () => {
  const setHomeOnly = vi.fn((): Promise<void> => Promise.resolve());
  const overview = await show("zai-overview", {
    api: fakeApi({ budgets: () => Promise.resolve([]), finding: finding({ setHomeOnly }) }),
    live: live(),
  });
  const input = overview.renderRoot.querySelector<HTMLInputElement>("[role=switch]");
  if (!input) throw new Error("there is no switch");
  expect(input.checked).toBe(false);
  input.click();
  expect(setHomeOnly).toHaveBeenCalledWith(true);
  Object.assign(overview, { live: live({ home_only: true }) });
  await overview.updateComplete;
  expect(overview.renderRoot.textContent).toContain("overview.home_only_on");
  await vi.waitFor(() => expect(input.disabled).toBe(false));
  setHomeOnly.mockRejectedValueOnce(new PageError("configured", "The file says so."));
  input.click();
  await vi.waitFor(() =>
    expect(overview.renderRoot.querySelector("[role=alert]")?.textContent).toBe("The file says so."),
  );
  expect(input.checked).toBe(true);
});

it("a provider outside is said to be unused while home only is on", async () => {
  const members = [member({ id: "cloud", local: false }), member({ id: "attic", local: true })];
  const providers = await show("zai-providers", { api: fakeApi({}), live: live({ members, home_only: true }) });
  const told = [...providers.renderRoot.querySelectorAll("li")].map((one) =>
    one.textContent.includes("providers.outside"),
  );
  expect(told.sort()).toEqual([false, true]);
  Object.assign(providers, { live: live({ members }) });
  await providers.updateComplete;
  expect(providers.renderRoot.textContent).not.toContain("providers.outside");
});
