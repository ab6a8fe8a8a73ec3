// The AI SDK with the default settings of its OpenAI provider: the Responses API with `store`.
import { createOpenAI } from "@ai-sdk/openai";
import { chat } from "./ai_sdk_chat.mjs";
import { apiKey, baseURL, model } from "./common.mjs";

await chat(createOpenAI({ baseURL: `${baseURL}/v1`, apiKey })(model));
