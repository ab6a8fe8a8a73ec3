import { ChatCommands, type ChatEvent, type EntityState } from "./chat.js";
import type { HomeAssistant } from "./hass.js";
import { subscribeLasting, type OnConnected } from "./live-connection.js";
import { PageError } from "./errors.js";

/** An entity's state as `subscribe_entities` sends it: `s` the state, `a` the attributes. */
interface CompressedState {
  s?: string;
  a?: Record<string, unknown>;
}

/** What `subscribe_entities` sends: added, changed, and removed entities. */
interface EntityEvents {
  a?: Record<string, CompressedState>;
  c?: Record<string, { "+"?: CompressedState }>;
  r?: string[];
}

/** Conversations over Home Assistant's WebSocket. */
export class HomeAssistantChat extends ChatCommands {
  constructor(
    private readonly hass: HomeAssistant,
    ask: ConstructorParameters<typeof ChatCommands>[0],
  ) {
    super(ask, () => ({ language: hass.language }));
  }

  follow(conversationId: string | null, onEvent: (event: ChatEvent) => void, onConnected: OnConnected): () => void {
    const named = conversationId === null ? {} : { conversation_id: conversationId };
    return subscribeLasting(this.hass.connection, { type: "zeroconf_ai/chat/follow", ...named }, onEvent, onConnected);
  }

  async upload(conversationId: string, messageId: string, image: File): Promise<void> {
    const body = new FormData();
    body.append("conversation_id", conversationId);
    body.append("message_id", messageId);
    body.append("file", image, image.name || "image");
    const response = await this.hass.fetchWithAuth("/api/zeroconf_ai/images", { method: "POST", body });
    if (!response.ok) throw await failure(response);
  }

  entities(ids: string[], onStates: (states: Record<string, EntityState>) => void): () => void {
    let known = new Map<string, CompressedState>();
    return subscribeLasting<EntityEvents>(
      this.hass.connection,
      { type: "subscribe_entities", entity_ids: ids },
      (event) => {
        for (const [id, state] of Object.entries(event.a ?? {})) known.set(id, state);
        for (const [id, { "+": more }] of Object.entries(event.c ?? {})) {
          const before = known.get(id) ?? {};
          known.set(id, { ...before, ...more, a: { ...before.a, ...more?.a } });
        }
        for (const id of event.r ?? []) known.delete(id);
        onStates(Object.fromEntries([...known].map(([id, state]) => [id, shown(id, state)])));
      },
      (connected) => {
        if (!connected) known = new Map();
      },
    );
  }
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");

const shown = (id: string, { s, a }: CompressedState): EntityState => ({
  name: text(a?.["friendly_name"]) || id,
  state: s ?? "",
  unit: text(a?.["unit_of_measurement"]),
});

/** The error in an answer of a home. */
export async function failure(response: Response): Promise<PageError> {
  const body = (await response.json().catch(() => ({}))) as { error?: { code?: string; message?: string } };
  return new PageError(body.error?.code ?? "failed", body.error?.message ?? `The server answered ${response.status}.`);
}
