import { failure } from "./chat-home-assistant.js";
import { ChatCommands, type ChatEvent } from "./chat.js";
import { streamLasting, type OnConnected } from "./live-connection.js";

/** Conversations over `/admin/api` of `zeroconf-ai serve`. */
export class ServerChat extends ChatCommands {
  /** `mayRetry` finds out whether a stream that has ended may begin again. */
  constructor(
    private readonly api: string,
    ask: ConstructorParameters<typeof ChatCommands>[0],
    private readonly mayRetry: () => Promise<boolean>,
  ) {
    super(ask);
  }

  follow(conversationId: string | null, onEvent: (event: ChatEvent) => void, onConnected: OnConnected): () => void {
    const query = conversationId === null ? "" : `?${new URLSearchParams({ conversation_id: conversationId })}`;
    return streamLasting(`${this.api}chat/follow${query}`, onEvent, onConnected, this.mayRetry);
  }

  async upload(conversationId: string, messageId: string, image: File): Promise<void> {
    const body = new FormData();
    body.append("conversation_id", conversationId);
    body.append("message_id", messageId);
    body.append("file", image, image.name || "image");
    const response = await fetch(`${this.api}chat/images`, { method: "POST", credentials: "same-origin", body });
    if (!response.ok) throw await failure(response);
  }

  entities(): () => void {
    return () => undefined;
  }
}
