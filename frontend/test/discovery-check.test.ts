import { expect, it, vi } from "vitest";
import "../src/page.js";
import { fakeApi, finding, show } from "./fake-api.js";

const hostile = "<img src=x onerror=alert(1)>";

it("the check of the network shows findings, interfaces and packets as text", async () => {
  const checkDiscovery = vi.fn(() =>
    Promise.resolve({
      seconds: 4,
      findings: [{ code: "silent", level: "problem" as const, values: { interface: "eth0", seconds: 4 } }],
      interfaces: [
        {
          name: "eth0",
          addresses: ["192.0.2.1"],
          sent: true,
          advertised: false,
          packets: 1,
          hosts: 1,
          providers: 0,
          error: null,
        },
      ],
      packets: [{ when: 1_800_000_000, address: "192.0.2.9", interface: "eth0", query: false, kinds: [hostile] }],
    }),
  );
  const view = await show("zai-discovery-check", { api: fakeApi({ finding: finding({ checkDiscovery }) }) });
  view.renderRoot.querySelector("button")?.click();
  await vi.waitFor(() =>
    expect(view.renderRoot.querySelector("li.problem")?.textContent).toBe("finding.silent eth0 4"),
  );
  const rows = [...view.renderRoot.querySelectorAll("tbody tr")].map((row) => row.textContent.replace(/\s+/g, " "));
  expect(rows[0]).toContain("eth0 192.0.2.1 finding.yes finding.no 1 1");
  expect(rows[1]).toContain(`192.0.2.9 eth0 finding.answers ${hostile}`);
  expect(view.renderRoot.querySelector("img")).toBeNull();
});
