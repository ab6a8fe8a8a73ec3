// Ollama's SDK for Node.
import { Ollama } from "ollama";
import { apiKey, baseURL, description, model, parameters, prompts, readMeter, show } from "./common.mjs";

const client = new Ollama({ host: baseURL, headers: { Authorization: `Bearer ${apiKey}` } });
const tools = [{ type: "function", function: { name: "read_meter", description, parameters } }];
const messages = [];
for (const prompt of prompts) {
  messages.push({ role: "user", content: prompt });
  for (;;) {
    let content = "";
    const calls = [];
    for await (const part of await client.chat({ model, messages, tools, stream: true })) {
      content += part.message.content;
      calls.push(...(part.message.tool_calls ?? []));
    }
    messages.push({ role: "assistant", content, ...(calls.length ? { tool_calls: calls } : {}) });
    for (const call of calls) {
      messages.push({ role: "tool", tool_name: call.function.name, content: readMeter(call.function.arguments) });
    }
    if (!calls.length) {
      show(content);
      break;
    }
  }
}
