// The AI SDK. Usage: node ai.mjs STEP BASE_URL KEY; prints the result as one line of JSON.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, embedMany, generateText, isStepCount, jsonSchema, streamText, tool } from "ai";
import { IMAGE, METER, MODELS, READING, run, untilStdinEnds } from "./common.mjs";

await run((baseURL, apiKey) => {
  const provider = createOpenAICompatible({ name: "home", baseURL, apiKey, includeUsage: true, supportsStructuredOutputs: true });
  const ask = { model: provider(MODELS.chat), prompt: "How warm is the kitchen?" };
  const used = (usage) => ({ prompt: usage.inputTokens, completion: usage.outputTokens });

  return {
    async chat() {
      const { text, usage } = await generateText(ask);
      return { text, ...used(usage) };
    },
    async stream() {
      const result = streamText(ask);
      const found = { text: "", pieces: 0 };
      for await (const piece of result.textStream) {
        found.text += piece;
        found.pieces += 1;
      }
      return { ...found, ...used(await result.usage) };
    },
    async tools() {
      let asked;
      const execute = (given) => {
        asked = given;
        return READING;
      };
      const { description, parameters } = METER;
      const tools = { [METER.name]: tool({ description, inputSchema: jsonSchema(parameters), execute }) };
      const { text, steps } = await generateText({ ...ask, tools, stopWhen: isStepCount(2) });
      return { name: steps[0].toolCalls[0].toolName, arguments: asked, text };
    },
    async structured() {
      const { output } = await generateText({ ...ask, output: Output.object({ schema: jsonSchema(METER.result) }) });
      return { object: output };
    },
    async vision() {
      const picture = { type: "file", data: IMAGE, mediaType: "image/png" };
      const message = { role: "user", content: [{ type: "text", text: "What is this?" }, picture] };
      const { text } = await generateText({ model: provider(MODELS.vision), messages: [message] });
      return { text };
    },
    async embeddings() {
      const { embeddings } = await embedMany({ model: provider.embeddingModel(MODELS.embeddings), values: ["one", "two"] });
      return { vectors: embeddings };
    },
    async unknown_model() {
      await generateText({ ...ask, model: provider(MODELS.unknown) });
    },
    async bad_parameter() {
      await generateText({ ...ask, temperature: 99 });
    },
    async cancel() {
      const controller = new AbortController();
      const result = streamText({ ...ask, abortSignal: controller.signal });
      for await (const _ of result.textStream) {
        controller.abort();
        break;
      }
      await untilStdinEnds({ cancelled: true });
    },
  };
});
