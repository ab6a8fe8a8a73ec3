import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { Client } from "../src/client.ts";
import { Household, SealError, parseCode } from "../src/household.ts";
import { vectors } from "./vectors.ts";

interface Cases {
  code: string;
  codes: [string, string, [string, string] | null][];
  tokens: [string, string, string, number, string][];
}

const { code, codes, tokens } = vectors<Cases>("household");

for (const [what, text, expected] of codes) {
  test(`household code: ${what}`, () => {
    if (expected === null) assert.throws(() => parseCode(text), TypeError);
    else assert.deepEqual(Object.values(parseCode(text)), expected);
  });
}

test("household token: the right hour, provider and household open it, and the error tells an old one apart", async () => {
  let now = 0;
  const household = await Household.of(code, () => now);
  for (const [what, sealed, id, at, expected] of tokens) {
    now = at;
    let found: string;
    try {
      found = household.open(sealed, id);
    } catch (error) {
      assert.ok(error instanceof SealError);
      found = error.kind;
    }
    assert.equal(found, expected, what);
  }
});

test("household: an invalid code is an error at once, and no output shows a valid one", async () => {
  assert.throws(() => new Client(undefined, { household: "my secret word" }), /not a generated one/);
  const shown = code.slice(5, 14);
  const shows = (value: unknown) => `${inspect(value, { depth: 9, showHidden: true })}${JSON.stringify(value)}`;
  assert.ok(!shows(new Client(undefined, { household: code })).includes(shown));
  assert.ok(!shows(await Household.of(code)).includes(shown));
});
