// What the clients for Node share: the prompts, the tool and the output.
export const { HOME_URL: baseURL, HOME_KEY: apiKey, HOME_MODEL: model, HOME_NUMBER: number } = process.env;
export const prompts = JSON.parse(process.env.HOME_PROMPTS);
export const description = "Read the meter of a room.";
export const parameters = {
  type: "object",
  properties: { room: { type: "string" } },
  required: ["room"],
  additionalProperties: false,
};
export const readMeter = ({ room }) => `${room}: ${number}`;

/** Print an answer as one line of JSON. */
export const show = (answer) => process.stdout.write(`${JSON.stringify(String(answer))}\n`);
