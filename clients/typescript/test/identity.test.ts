import assert from "node:assert/strict";
import { test } from "node:test";

import { isHandedOver, parseSteps } from "../src/hand-over.ts";
import { type Confirmed, type Reply, type Target, identifyAny } from "../src/identity.ts";
import { digest, isGenerated, keyId, prove } from "../src/key-proof.ts";
import { type Advertised, ServiceRecord } from "../src/record.ts";
import { vectors } from "./vectors.ts";

interface Cases {
  records: Record<string, { txt: [string, string][]; at: Advertised }>;
  known: Record<string, Confirmed>;
  rows: [string, string, Reply, Reply | "*", boolean, string, boolean, string | null, number][];
}

const { records, known, rows } = vectors<Cases>("identity");
const REPLIES: Reply[] = ["proven", "known", "unnamed", "wants_key", "other", "handed_over", "silent"];

for (const name of new Set(rows.map(([confirmed, advertised]) => `${confirmed} and ${advertised}`))) {
  test(`identity: ${name}`, async () => {
    const own = rows.filter(([confirmed, advertised]) => `${confirmed} and ${advertised}` === name);
    for (const [confirmed, advertised, old, reply, beyond, verdict, follow, baseURL, probes] of own) {
      const { txt, at } = records[advertised] ?? assert.fail();
      const serviceType = at.serviceType?.replace(/\.$/, "") ?? "_zeroconfai._tcp.local";
      const record = new ServiceRecord(txt, { ...at, serviceType });
      for (const given of reply === "*" ? REPLIES : [reply]) {
        let asked = 0;
        const probe = ({ baseURL, prove: proven, handedOverBy }: Target) => {
          asked += 1;
          if (handedOverBy !== undefined) return Promise.resolve(given);
          const found = baseURL.includes("192.0.2.1:") || baseURL.includes("old.") ? old : given;
          return Promise.resolve((found === "proven" && !proven) || found === "handed_over" ? "known" : found);
        };
        const found = await identifyAny([record], known[confirmed] ?? assert.fail(), probe, beyond);
        const told = [found.verdict, found.follow, found.baseURL ?? null, asked];
        assert.deepEqual(
          told,
          [verdict, follow, baseURL, probes],
          `old ${old}, new ${given}, beyond ${String(beyond)}`,
        );
      }
    }
  });
}

test("identity: of several records with one id, the one with the strongest evidence is used", async () => {
  const at = { name: "Box", host: "box.local.", port: 8000 };
  const impostor = new ServiceRecord([["id", "id-1"]], { ...at, addresses: ["192.0.2.66"] });
  const real = new ServiceRecord([["id", "id-1"]], { ...at, addresses: ["192.0.2.2"] });
  const probe = ({ baseURL }: Target) =>
    Promise.resolve<Reply>(baseURL.includes(".66:") ? "known" : baseURL.includes(".2:") ? "proven" : "silent");
  const confirmed = { id: "id-1", baseURL: "http://192.0.2.1:8000/v1", keyed: true, provable: true };
  const found = await identifyAny([impostor, real], confirmed, probe);
  assert.deepEqual([found.verdict, found.baseURL, found.follow], ["moved_proven", "http://192.0.2.2:8000/v1", true]);
});

interface HandOver {
  what: string;
  id: string;
  pinned: string;
  presented: string;
  steps: unknown;
  expected: boolean;
}

for (const { what, id, pinned, presented, steps, expected } of vectors<HandOver[]>("hand-overs")) {
  test(`hand-over: ${what}`, () => {
    assert.equal(isHandedOver(id, pinned, presented, parseSteps(steps)), expected);
  });
}

interface Proof {
  key: string;
  challenge: string;
  id: string;
  address: string;
  port: number;
  kid: string;
  proof: string;
}

for (const { key, challenge, id, address, port, kid, proof } of vectors<Proof[]>("key-proofs")) {
  test(`key proof: at ${address}`, () => {
    assert.ok(isGenerated(key));
    assert.equal(keyId(digest(key)).toString("base64url"), kid);
    assert.equal(
      prove(digest(key), Buffer.from(challenge, "base64url"), id, address, port).toString("base64url"),
      proof,
    );
  });
}

test("key proof: keys that a person made up are not proved", () => {
  for (const key of ["secret", "zai_short", `sk-${"a".repeat(32)}`, `zai_${"a".repeat(33)}`])
    assert.ok(!isGenerated(key));
});
