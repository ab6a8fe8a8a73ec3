// A chat through the AI SDK, with any of its providers.
import { isStepCount, jsonSchema, streamText, tool } from "ai";
import { description, parameters, prompts, readMeter, show } from "./common.mjs";

/** Ask all prompts of a model of a provider. */
export const chat = async (model) => {
  const tools = { read_meter: tool({ description, inputSchema: jsonSchema(parameters), execute: readMeter }) };
  const messages = [];
  for (const content of prompts) {
    messages.push({ role: "user", content });
    const result = streamText({ model, messages, tools, stopWhen: isStepCount(3) });
    await result.consumeStream({ onError: (error) => { throw error; } });
    show(await result.text);
    messages.push(...(await result.response).messages);
  }
};
