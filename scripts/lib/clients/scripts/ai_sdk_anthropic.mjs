// The AI SDK with its Anthropic provider.
import { createAnthropic } from "@ai-sdk/anthropic";
import { chat } from "./ai_sdk_chat.mjs";
import { apiKey, baseURL, model } from "./common.mjs";

await chat(createAnthropic({ baseURL: `${baseURL}/v1`, apiKey })(model));
