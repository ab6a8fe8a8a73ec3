// The tool runner of Anthropic's SDK for Node, streamed.
import Anthropic from "@anthropic-ai/sdk";
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema";
import { apiKey, baseURL, description, model, parameters, prompts, readMeter, show } from "./common.mjs";

const client = new Anthropic({ baseURL, apiKey });
const tools = [betaTool({ name: "read_meter", description, inputSchema: parameters, run: readMeter })];
let messages = [];
for (const content of prompts) {
  messages.push({ role: "user", content });
  const runner = client.beta.messages.toolRunner({ model, max_tokens: 1000, messages, tools, stream: true });
  let answer;
  for await (const stream of runner) answer = await stream.finalMessage();
  messages = [...runner.params.messages];
  show(answer.content.map((block) => block.text ?? "").join(""));
}
