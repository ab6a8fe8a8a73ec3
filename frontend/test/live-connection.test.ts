import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { HomeAssistant } from "../src/api/hass.js";
import { subscribeLasting } from "../src/api/live-connection.js";

type Callback = () => void;

/** Home Assistant's connection, which a test breaks. */
class Connection {
  readonly callbacks = new Map<string, Set<Callback>>();
  readonly end = vi.fn(() => Promise.resolve());
  loaded = true;
  event: ((event: unknown) => void) | undefined;
  readonly subscribeMessage = vi.fn((callback: (event: never) => void, message: unknown, options?: unknown) => {
    expect([message, options]).toEqual([{ type: "zeroconf_ai/live" }, { resubscribe: false }]);
    if (!this.loaded) return Promise.reject(new Error("unknown command"));
    this.event = callback as (event: unknown) => void;
    return Promise.resolve(this.end);
  });
  readonly sendMessagePromise = <T>(): Promise<T> => Promise.reject(new Error("nothing is asked"));

  addEventListener(event: string, callback: Callback): void {
    this.callbacks.set(event, (this.callbacks.get(event) ?? new Set()).add(callback));
  }

  removeEventListener(event: string, callback: Callback): void {
    this.callbacks.get(event)?.delete(callback);
  }

  tell(event: string): void {
    for (const callback of this.callbacks.get(event) ?? []) callback();
  }
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

it("a subscription lasts over a restart, until the integration is set up again", async () => {
  const connection = new Connection();
  const onEvent = vi.fn();
  const onConnected = vi.fn();
  const end = subscribeLasting(
    connection as unknown as HomeAssistant["connection"],
    { type: "zeroconf_ai/live" },
    onEvent,
    onConnected,
  );
  await vi.advanceTimersByTimeAsync(0);
  connection.event?.("first");
  expect(onConnected.mock.calls).toEqual([[true]]);
  connection.tell("disconnected");
  connection.loaded = false;
  connection.tell("ready");
  await vi.advanceTimersByTimeAsync(2500);
  expect(onConnected).toHaveBeenLastCalledWith(false);
  expect(connection.subscribeMessage).toHaveBeenCalledTimes(3);
  connection.loaded = true;
  await vi.advanceTimersByTimeAsync(2500);
  expect(onConnected).toHaveBeenLastCalledWith(true);
  connection.event?.("second");
  expect(onEvent.mock.calls).toEqual([["first"], ["second"]]);
  end();
  expect(connection.end).toHaveBeenCalledOnce();
  connection.tell("ready");
  await vi.advanceTimersByTimeAsync(5000);
  expect(connection.subscribeMessage).toHaveBeenCalledTimes(4);
});

it("a subscription that is ended before it has begun ends at once", async () => {
  const connection = new Connection();
  const onConnected = vi.fn();
  const message = { type: "zeroconf_ai/live" };
  subscribeLasting(connection as unknown as HomeAssistant["connection"], message, vi.fn(), onConnected)();
  await vi.advanceTimersByTimeAsync(0);
  expect(connection.end).toHaveBeenCalledOnce();
  expect(onConnected).not.toHaveBeenCalled();
});
