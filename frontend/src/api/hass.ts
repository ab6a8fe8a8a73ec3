import type { FlowHome } from "./flows.js";

/** The part of Home Assistant's `hass` that the page uses. */
export interface HomeAssistant extends FlowHome {
  connection: {
    sendMessagePromise<T>(message: Message): Promise<T>;
    subscribeMessage<T>(
      callback: (event: T) => void,
      message: Message,
      options?: { resubscribe: boolean },
    ): Promise<() => Promise<void>>;
    addEventListener(event: "ready" | "disconnected", callback: () => void): void;
    removeEventListener(event: "ready" | "disconnected", callback: () => void): void;
  };
  user: { is_admin: boolean; name: string };
  language: string;
  fetchWithAuth(path: string, init: RequestInit): Promise<Response>;
  localize(key: string, values?: Record<string, string | number>): string;
}

export interface Message {
  type: string;
  [field: string]: unknown;
}
