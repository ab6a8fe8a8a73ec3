/** A provider for the AI SDK whose requests go to the best provider of the network, and to the next one when it goes. */

import { type OpenAICompatibleProvider, createOpenAICompatible } from "@ai-sdk/openai-compatible";

import { Client } from "./client.ts";

/** `client`: one that is open or not, else the provider's name or URL as `new Client` has it. */
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

/** All providers of the network that need no API key. It searches with the first request. */
export const zeroconfAI: OpenAICompatibleProvider = createZeroconfAI();
