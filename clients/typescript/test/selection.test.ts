import assert from "node:assert/strict";
import { test } from "node:test";

import { candidates } from "../src/candidates.ts";
import { ApiError } from "../src/errors.ts";
import { Endpoint } from "../src/http.ts";
import { parseModels } from "../src/models.ts";
import { Provider, type State } from "../src/provider.ts";
import { ServiceRecord } from "../src/record.ts";
import { type Path, readRequest } from "../src/request.ts";
import { vectors } from "./vectors.ts";

interface Given {
  id: string;
  name: string;
  priority: number;
  capabilities: string[] | null;
  models: unknown[];
  state: State;
  lists: boolean;
}

interface Case {
  providers: Given[];
  path: Path;
  body: Record<string, unknown>;
  expected: [string, string][] | { status: number; code: string };
}

function providerOf({ id, name, priority, capabilities, models, state, lists }: Given): Provider {
  const txt: [string, string][] = [["priority", String(priority)]];
  if (capabilities !== null) txt.push(["capabilities", capabilities.join(",")]);
  const record = new ServiceRecord(txt, { name, host: "box.local.", port: 8000, addresses: ["198.51.100.7"] });
  const made = new Provider(id, name, new Endpoint(record.baseURL()), record);
  return Object.assign(made, { models: parseModels(models), listsModels: lists, neverOnline: false, state });
}

test("selection: the candidates are the same as in the Python package", () => {
  for (const { providers, path, body, expected } of vectors<Case[]>("selection")) {
    let found: unknown;
    try {
      const chosen = candidates(providers.map(providerOf), readRequest(path, body));
      found = chosen.map(({ provider, model }) => [provider.id, model]);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      found = { status: error.status, code: error.code };
    }
    assert.deepEqual(found, expected, JSON.stringify({ providers, body }));
  }
});
