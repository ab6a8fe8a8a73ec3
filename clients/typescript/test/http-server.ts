import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** The answer of a provider to one chat request. */
export type Script = (response: ServerResponse, request: IncomingMessage) => void;

/** A provider on the loopback interface. Tests set its answers. */
export class FakeProvider {
  id: string | undefined = "id-1";
  models: unknown[] = [{ id: "model-1" }];
  key: string | undefined;
  /** The answers to the next chat requests. The last answer is repeated. */
  scripts: Script[] = [said("Hello")];
  status: unknown;
  readonly bodies: Record<string, unknown>[] = [];
  readonly requests: { path: string; key: string | undefined }[] = [];
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => void this.#respond(request, response));
  }

  static async start(): Promise<FakeProvider> {
    const made = new FakeProvider();
    await new Promise<void>((resolve) => made.#server.listen(0, "127.0.0.1", resolve));
    return made;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = ""] = (request.url ?? "").split("?");
    const key = request.headers.authorization?.replace("Bearer ", "");
    this.requests.push({ path, key });
    if (path === "/v1/health") {
      json(200, { status: "ok", id: this.id })(response, request);
      return;
    }
    if (this.key !== undefined && key !== this.key) {
      json(401, { error: { message: `Wrong key: ${key ?? ""}` } })(response, request);
    } else if (path === "/v1/models") json(200, { data: this.models })(response, request);
    else if (path === "/v1/status" && this.status !== undefined) json(200, this.status)(response, request);
    else if (request.method === "POST") {
      let body = "";
      for await (const part of request) body += String(part);
      this.bodies.push(JSON.parse(body) as Record<string, unknown>);
      const [script = said("Hello")] = this.scripts.length > 1 ? this.scripts.splice(0, 1) : this.scripts;
      script(response, request);
    } else json(404, { error: { message: "Not found" } })(response, request);
  }
}

export function json(status: number, body: unknown, headers: Record<string, string> = {}): Script {
  return (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  };
}

export function said(text: string): Script {
  return json(200, {
    choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }],
    usage: { prompt_tokens: 3, completion_tokens: 2 },
  });
}

/** Streams these texts as they are; without `end`, the stream stays open. */
export function raw(texts: string[], end = true): Script {
  return (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const text of texts) response.write(text);
    if (end) response.end();
  };
}

export const event = (data: unknown): string => `data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;

export const delta = (fields: object, finish: string | null = null): string =>
  event({ choices: [{ index: 0, delta: fields, finish_reason: finish }] });

/** Streams the words of an answer. */
export function streamed(...words: string[]): Script {
  const usage = event({ choices: [], usage: { prompt_tokens: 5, completion_tokens: words.length } });
  return raw([...words.map((content) => delta({ content })), delta({}, "stop"), usage, event("[DONE]")]);
}
