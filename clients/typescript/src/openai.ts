/** A client of the package `openai`: its requests go to the best provider of the network and, if that provider fails, to the next. */

import OpenAI, { type ClientOptions as OpenAIOptions } from "openai";

import { Client } from "./client.ts";

/** `client`: a `Client`, open or not, or the name, id or URL of a provider (the first argument of `new Client`).
 *
 * `options`: the options of `new OpenAI`.
 */
export function openai(client?: Client | string, options: OpenAIOptions = {}): OpenAI {
  const { baseURL, apiKey, fetch } = client instanceof Client ? client : new Client(client);
  return new OpenAI({ organization: null, project: null, ...options, baseURL, apiKey, fetch });
}
