import { readFileSync } from "node:fs";

/** Test cases that the Python package's tests read too, so that both packages follow the same rules. */
export function vectors<Cases>(name: string): Cases {
  return JSON.parse(readFileSync(new URL(`vectors/${name}.json`, import.meta.url), "utf8")) as Cases;
}
