// openai-agents for Node with its default settings: the Responses API, streamed.
import { Agent, MemorySession, run, setTracingDisabled, tool } from "@openai/agents";
import { description, model, parameters, prompts, readMeter, show } from "./common.mjs";

setTracingDisabled(true);
const readsMeter = tool({ name: "read_meter", description, parameters, execute: readMeter });
const agent = new Agent({ name: "Home", instructions: "Answer briefly.", model, tools: [readsMeter] });
const session = new MemorySession();
for (const prompt of prompts) {
  const result = await run(agent, prompt, { stream: true, session });
  await result.completed;
  show(result.finalOutput);
}
