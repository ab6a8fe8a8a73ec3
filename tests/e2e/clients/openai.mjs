// OpenAI's SDK. Usage: node openai.mjs STEP BASE_URL KEY; prints the result as one line of JSON.
import OpenAI from "openai";
import { IMAGE, METER, MODELS, READING, run, untilStdinEnds } from "./common.mjs";

const tools = [{ type: "function", function: METER }];
const question = { role: "user", content: "How warm is the kitchen?" };

await run((baseURL, apiKey) => {
  const client = new OpenAI({ baseURL, apiKey });
  const chat = (more) => client.chat.completions.create({ model: MODELS.chat, messages: [question], ...more });
  const text = (answer) => answer.choices[0].message.content;

  return {
    async models() {
      const models = [];
      for await (const model of client.models.list()) models.push(model.id);
      return { models };
    },
    async chat() {
      const answer = await chat();
      return { text: text(answer), prompt: answer.usage.prompt_tokens, completion: answer.usage.completion_tokens };
    },
    async stream() {
      const found = { text: "", pieces: 0 };
      for await (const chunk of await chat({ stream: true, stream_options: { include_usage: true } })) {
        const piece = chunk.choices[0]?.delta.content;
        if (piece) {
          found.text += piece;
          found.pieces += 1;
        }
        if (chunk.usage) {
          found.prompt = chunk.usage.prompt_tokens;
          found.completion = chunk.usage.completion_tokens;
        }
      }
      return found;
    },
    async tools() {
      const { message } = (await chat({ tools })).choices[0];
      const [call] = message.tool_calls;
      const result = { role: "tool", tool_call_id: call.id, content: READING };
      const answer = await chat({ tools, messages: [question, message, result] });
      return { name: call.function.name, arguments: JSON.parse(call.function.arguments), text: text(answer) };
    },
    async structured() {
      const schema = { name: "reading", strict: true, schema: METER.result };
      return { object: JSON.parse(text(await chat({ response_format: { type: "json_schema", json_schema: schema } }))) };
    },
    async vision() {
      const picture = { type: "image_url", image_url: { url: `data:image/png;base64,${IMAGE}` } };
      const message = { role: "user", content: [{ type: "text", text: "What is this?" }, picture] };
      return { text: text(await chat({ model: MODELS.vision, messages: [message] })) };
    },
    async embeddings() {
      const answer = await client.embeddings.create({ model: MODELS.embeddings, input: ["one", "two"] });
      return { vectors: answer.data.map((item) => item.embedding) };
    },
    async unknown_model() {
      await chat({ model: MODELS.unknown });
    },
    async bad_parameter() {
      await chat({ temperature: 99 });
    },
    async cancel() {
      const stream = await chat({ stream: true });
      for await (const _ of stream) {
        stream.controller.abort();
        break;
      }
      await untilStdinEnds({ cancelled: true });
    },
  };
});
