import type { HomeAssistant, Message } from "./hass.js";

/** Told whenever the live state begins to arrive, or stops. */
export type OnConnected = (connected: boolean) => void;

const RETRY_MS = 2000;

/**
 * A subscription that lasts until the returned function ends it. It begins again after Home Assistant was restarted, and tries on
 * until the integration is set up: the connection is there earlier, and would give up at the first error.
 *
 * Each attempt waits for the answer to a ping. After a reconnect, the numbers of messages begin at 1 again, and Home Assistant's
 * frontend ends some of its subscriptions by their numbers of the lost connection. A subscription that begins at the same moment
 * can have such a number, and would be ended.
 */
export function subscribeLasting<T>(
  connection: HomeAssistant["connection"],
  message: Message,
  onEvent: (event: T) => void,
  onConnected: OnConnected,
): () => void {
  let end: (() => Promise<void>) | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let current = 0;

  const begin = (): void => {
    const attempt = ++current;
    clearTimeout(retry);
    subscribe(attempt).catch(() => {
      if (attempt !== current) return;
      onConnected(false);
      retry = setTimeout(begin, RETRY_MS);
    });
  };
  const subscribe = async (attempt: number): Promise<void> => {
    await connection.sendMessagePromise({ type: "ping" });
    if (attempt !== current) return;
    const found = await connection.subscribeMessage(onEvent, message, { resubscribe: false });
    if (attempt !== current) void found().catch(() => undefined);
    else {
      end = found;
      onConnected(true);
    }
  };
  const lose = (): void => {
    current += 1;
    clearTimeout(retry);
    end = undefined;
    onConnected(false);
  };
  connection.addEventListener("ready", begin);
  connection.addEventListener("disconnected", lose);
  begin();
  return () => {
    connection.removeEventListener("ready", begin);
    connection.removeEventListener("disconnected", lose);
    current += 1;
    clearTimeout(retry);
    void end?.().catch(() => undefined);
  };
}

/**
 * A stream of Server-Sent Events that lasts until the returned function ends it. The browser connects again by itself, except
 * after an answer that is an error, and after the event `end`: then `mayRetry` decides.
 */
export function streamLasting<T>(
  url: string,
  onEvent: (event: T) => void,
  onConnected: OnConnected,
  mayRetry: () => Promise<boolean>,
): () => void {
  let source: EventSource | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let ended = false;

  const open = (): void => {
    const opened = (source = new EventSource(url));
    const again = async (): Promise<void> => {
      opened.close();
      if ((await mayRetry()) && !ended) retry = setTimeout(open, RETRY_MS);
    };
    opened.onopen = () => onConnected(true);
    opened.onmessage = (event: MessageEvent<string>) => onEvent(JSON.parse(event.data) as T);
    opened.addEventListener("end", () => void again());
    opened.onerror = () => {
      onConnected(false);
      if (opened.readyState === EventSource.CLOSED) void again();
    };
  };
  open();
  return () => {
    ended = true;
    clearTimeout(retry);
    source?.close();
  };
}
