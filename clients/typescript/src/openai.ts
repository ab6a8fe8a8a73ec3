/** A client of the package `openai` whose requests go to the best provider, and to the next one when it goes. */

import OpenAI, { type ClientOptions as OpenAIOptions } from "openai";

import { Client } from "./client.ts";

/** `client`: one that is open or not, else the provider's name or URL as `new Client` has it. `options` are those of `OpenAI`. */
export function openai(client?: Client | string, options: OpenAIOptions = {}): OpenAI {
  const { baseURL, apiKey, fetch } = client instanceof Client ? client : new Client(client);
  return new OpenAI({ organization: null, project: null, ...options, baseURL, apiKey, fetch });
}
