import { readFileSync } from "node:fs";

/** Cases that the Python package's tests read too, so that both sides follow the same rules. */
export function vectors<Cases>(name: string): Cases {
  return JSON.parse(readFileSync(new URL(`vectors/${name}.json`, import.meta.url), "utf8")) as Cases;
}
