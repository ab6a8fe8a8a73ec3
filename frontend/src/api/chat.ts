/** Conversations: what the page asks of its home, and what the home sends. */

import type { OnConnected } from "./live-connection.js";

/** Who is asked. `backend_id` null: any provider; `model`: an id, or "auto"; `tools`: whether it may control the home. */
export interface Choice {
  backend_id: string | null;
  model: string;
  tools: boolean;
}

export interface ChoosableModel {
  id: string;
  warm: boolean | null;
  vision: boolean | null;
}

export interface ChoosableProvider {
  id: string;
  name: string;
  kind: "agent" | "backend";
  local: boolean;
  cost: "free" | "metered" | "subscription" | "unknown";
  state: string;
  known: boolean;
  available: boolean;
  running: number;
  limit: number | null;
  models: ChoosableModel[];
}

export interface ToolCall {
  id: string;
  name: string;
  /** JSON. */
  arguments: string;
  /** Null until the tool has answered. */
  result: string | null;
  error: boolean;
  entities: string[];
}

export interface ChatDetails {
  thinking?: string;
  tools?: ToolCall[];
  backend_id?: string;
  backend?: string;
  model?: string;
  tokens_prompt?: number;
  tokens_completion?: number;
  estimated?: boolean;
  tokens_per_second?: number | null;
  first_token_ms?: number | null;
  duration_ms?: number;
  cost?: Record<string, number> | null;
  attempts?: { backend: string; model: string; reason: string }[];
  generation_ids?: string[];
  outcome?: "ok" | "error" | "stopped";
  error?: string;
  replaced?: boolean;
  origin?: string;
  target?: string;
}

export interface ChatImage {
  filename: string;
  url: string;
  width: number;
  height: number;
}

export interface ChatMessage {
  id: string;
  role: "user" | "assistant" | "notice";
  content: string;
  created: number;
  images: ChatImage[];
  details: ChatDetails;
}

export interface Conversation {
  id: string;
  title: string;
  messages: ChatMessage[];
  /** The id of the answer that is being written. */
  running: string | null;
}

export interface ConversationEntry {
  id: string;
  title: string;
  created: number;
  last_used: number;
  running: boolean;
}

/** What can be chosen, and what has changed. */
export interface ChatHome {
  providers: ChoosableProvider[];
  /** Whether models may control the home. */
  tools: boolean;
  /** Whether images can be sent. */
  images: boolean;
  /** The person's last choice. */
  choice: Choice;
  /** The conversations in which an answer is being written. */
  running: string[];
  /** Changes with the list of conversations. */
  revision: number;
}

export type ConversationEvent =
  | ({ type: "conversation" } & Conversation)
  | { type: "message"; message: ChatMessage; before?: string; running?: boolean }
  | { type: "delta"; id: string; content: string; thinking: string }
  | { type: "text"; id: string; content: string; thinking: string }
  | { type: "tools"; id: string; tools: ToolCall[] }
  | { type: "reached"; id: string; backend_id: string; backend: string; model: string };

export type ChatEvent = ({ type: "home" } & ChatHome) | { type: "deleted"; id: string } | ConversationEvent;

/** The state of an entity of Home Assistant. */
export interface EntityState {
  name: string;
  state: string;
  unit: string;
}

export interface ChatApi {
  /** Calls `onEvent` with the present and every change, also after a restart of the home. Returns the function that ends it. */
  follow(conversationId: string | null, onEvent: (event: ChatEvent) => void, onConnected: OnConnected): () => void;
  conversations(
    search: string,
    after: string | null,
  ): Promise<{ conversations: ConversationEntry[]; next: string | null }>;
  /** The id of a new conversation. */
  create(): Promise<string>;
  /** Images that were uploaded for `messageId` before belong to the message. */
  send(conversationId: string, text: string, choice: Choice, messageId: string | null): Promise<void>;
  /** Answers the newest message again. */
  retry(conversationId: string, choice: Choice): Promise<void>;
  stop(conversationId: string): Promise<void>;
  rename(conversationId: string, title: string): Promise<void>;
  remove(conversationId: string): Promise<void>;
  upload(conversationId: string, messageId: string, image: File): Promise<void>;
  /** Calls `onStates` now and after each change of these entities; ends as `follow` does. */
  entities(ids: string[], onStates: (states: Record<string, EntityState>) => void): () => void;
}

type Ask = <T>(command: string, fields?: Record<string, unknown>) => Promise<T>;

/** The commands, which both homes have; the rest differs. */
export abstract class ChatCommands implements ChatApi {
  /** `context`: what is said of the person with each message. */
  constructor(
    private readonly ask: Ask,
    private readonly context: () => Record<string, unknown> = () => ({}),
  ) {}

  abstract follow(
    conversationId: string | null,
    onEvent: (event: ChatEvent) => void,
    onConnected: OnConnected,
  ): () => void;
  abstract upload(conversationId: string, messageId: string, image: File): Promise<void>;
  abstract entities(ids: string[], onStates: (states: Record<string, EntityState>) => void): () => void;

  conversations(search: string, after: string | null): ReturnType<ChatApi["conversations"]> {
    return this.ask("chat/conversations", { search, ...(after === null ? {} : { after }) });
  }

  async create(): Promise<string> {
    return (await this.ask<{ conversation_id: string }>("chat/create")).conversation_id;
  }

  async send(conversationId: string, text: string, choice: Choice, messageId: string | null): Promise<void> {
    const named = messageId === null ? {} : { message_id: messageId };
    await this.ask("chat/send", { conversation_id: conversationId, text, choice, ...named, ...this.context() });
  }

  async retry(conversationId: string, choice: Choice): Promise<void> {
    await this.ask("chat/retry", { conversation_id: conversationId, choice, ...this.context() });
  }

  async stop(conversationId: string): Promise<void> {
    await this.ask("chat/stop", { conversation_id: conversationId });
  }

  async rename(conversationId: string, title: string): Promise<void> {
    await this.ask("chat/rename", { conversation_id: conversationId, title });
  }

  async remove(conversationId: string): Promise<void> {
    await this.ask("chat/delete", { conversation_id: conversationId });
  }
}
