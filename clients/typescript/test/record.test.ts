import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";

import { ServiceRecord } from "../src/record.ts";
import { vectors } from "./vectors.ts";

interface Case {
  what: string;
  txt: [string, string][];
  at: { name: string; host: string; port: number; addresses: string[]; serviceType?: string; srvPriority?: number };
  expected: Record<string, unknown> | null;
}

for (const { what, txt, at, expected } of vectors<Case[]>("records")) {
  test(`record: ${what}`, () => {
    const parse = () =>
      new ServiceRecord(txt, { ...at, serviceType: (at.serviceType ?? "_zeroconfai._tcp.local").replace(/\.$/, "") });
    if (expected === null) {
      assert.throws(parse, { name: "RecordError" });
      return;
    }
    const record = parse();
    const found: Record<string, unknown> = { ephemeralKey: record.ephemeralKey ?? null, urls: record.urls() };
    for (const key of Object.keys(expected)) {
      if (key in found) continue;
      const value: unknown = Reflect.get(record, key);
      found[key] = value instanceof Set ? [...value].sort() : (value ?? null);
    }
    assert.deepEqual(found, expected);
  });
}

test("record: neither the console nor JSON shows its secrets", () => {
  const at = { name: "Box", host: "box.local.", port: 1, addresses: ["192.0.2.1"] };
  const record = new ServiceRecord([["ephemeral_key", "sk-secret"]], at);
  assert.equal(record.ephemeralKey, "sk-secret");
  assert.doesNotMatch(inspect(record) + JSON.stringify(record), /sk-secret/);
});
