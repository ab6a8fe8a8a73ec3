// The requests of the clients, and the output of their results. The Python clients (../sdks.py) send the same requests.
export const MODELS = {
  chat: "gpt-4.1",
  vision: "gemma3:4b",
  embeddings: "text-embedding-3-small",
  unknown: "no-such-model",
};
export const IMAGE =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
export const READING = "21.5";
const room = { type: "object", properties: { room: { type: "string" } }, required: ["room"], additionalProperties: false };
export const METER = {
  name: "read_meter",
  description: "Reads a thermometer.",
  parameters: room,
  result: {
    ...room,
    properties: { ...room.properties, celsius: { type: "number" } },
    required: ["room", "celsius"],
  },
};

const tell = (found) => process.stdout.write(`${JSON.stringify(found)}\n`);

/** Print a result, and keep running until the parent process closes the standard input. */
export async function untilStdinEnds(found) {
  tell(found);
  for await (const _ of process.stdin);
}

/** Run the step of the command line; an error is printed as its class and status. */
export async function run(steps) {
  const [step, baseURL, key] = process.argv.slice(2);
  try {
    const found = await steps(baseURL, key)[step === "wrong_key" || step === "rate_limited" ? "chat" : step]();
    if (found) tell(found);
  } catch (error) {
    tell({ error: error.constructor.name, status: error.status ?? error.statusCode ?? null, message: error.message });
  }
}
