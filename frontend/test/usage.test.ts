import { expect, it } from "vitest";
import type { UsageRow } from "../src/api/types.js";
import { csv } from "../src/views/usage.js";

const row = (name: string, cost = {}): UsageRow => ({
  requests: 1,
  errors: 0,
  tokens_prompt: 2,
  tokens_completion: 3,
  cost,
  model: name,
});

it("csv quotes separators and keeps a spreadsheet from running a name as a formula", () => {
  const lines = csv([row('a,"b"', { USD: 0.5 }), row("=HYPERLINK(1)"), row("-5")]).split("\r\n");
  expect(lines).toEqual([
    "requests,errors,tokens_prompt,tokens_completion,model,cost_USD",
    '1,0,2,3,"a,""b""",0.5',
    "1,0,2,3,'=HYPERLINK(1),",
    "1,0,2,3,-5,",
  ]);
});
