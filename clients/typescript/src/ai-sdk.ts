/** A provider for the AI SDK: its requests go to the best provider of the network and, if that provider fails, to the next. */

import { type OpenAICompatibleProvider, createOpenAICompatible } from "@ai-sdk/openai-compatible";

import { Client } from "./client.ts";

/** `client`: a `Client`, open or not, or the name, id or URL of a provider (the first argument of `new Client`). */
export function createZeroconfAI(client?: Client | string): OpenAICompatibleProvider {
  const { baseURL, apiKey, fetch } = client instanceof Client ? client : new Client(client);
  return createOpenAICompatible({
    name: "zeroconf-ai",
    baseURL,
    apiKey,
    fetch,
    includeUsage: true,
    supportsStructuredOutputs: true,
  });
}

/** All providers of the network that need no API key. The first request searches for them. */
export const zeroconfAI: OpenAICompatibleProvider = createZeroconfAI();
