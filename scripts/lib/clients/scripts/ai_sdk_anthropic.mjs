// The AI SDK with its Anthropic provider.
import { createAnthropic } from "@ai-sdk/anthropic";
import { isStepCount, jsonSchema, streamText, tool } from "ai";
import { apiKey, baseURL, description, model, parameters, prompts, readMeter, show } from "./common.mjs";

const home = createAnthropic({ baseURL: `${baseURL}/v1`, apiKey });
const tools = { read_meter: tool({ description, inputSchema: jsonSchema(parameters), execute: readMeter }) };
const messages = [];
for (const content of prompts) {
  messages.push({ role: "user", content });
  const result = streamText({ model: home(model), messages, tools, stopWhen: isStepCount(3) });
  await result.consumeStream({ onError: (error) => { throw error; } });
  show(await result.text);
  messages.push(...(await result.response).messages);
}
