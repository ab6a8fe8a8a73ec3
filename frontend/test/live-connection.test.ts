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
  readonly sendMessagePromise = vi.fn(<T>(message: unknown): Promise<T> => {
    expect(message).toEqual({ type: "ping" });
    return new Promise((resolve) => this.pings.push(() => resolve(null as T)));
  });
  private readonly pings: Callback[] = [];

  addEventListener(event: string, callback: Callback): void {
    this.callbacks.set(event, (this.callbacks.get(event) ?? new Set()).add(callback));
  }

  removeEventListener(event: string, callback: Callback): void {
    this.callbacks.get(event)?.delete(callback);
  }

  /** Answers the pings. */
  async pong(): Promise<void> {
    for (const answer of this.pings.splice(0)) answer();
    await vi.advanceTimersByTimeAsync(0);
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
  await connection.pong();
  connection.event?.("first");
  expect(onConnected.mock.calls).toEqual([[true]]);
  connection.tell("disconnected");
  connection.loaded = false;
  connection.tell("ready");
  await connection.pong();
  expect(onConnected).toHaveBeenLastCalledWith(false);
  expect(connection.subscribeMessage).toHaveBeenCalledTimes(2);
  connection.loaded = true;
  await vi.advanceTimersByTimeAsync(2500);
  await connection.pong();
  expect(onConnected).toHaveBeenLastCalledWith(true);
  connection.event?.("second");
  expect(onEvent.mock.calls).toEqual([["first"], ["second"]]);
  end();
  expect(connection.end).toHaveBeenCalledOnce();
  connection.tell("ready");
  await vi.advanceTimersByTimeAsync(5000);
  await connection.pong();
  expect(connection.subscribeMessage).toHaveBeenCalledTimes(3);
});

it("a subscription after a reconnect begins when the frontend has ended its subscriptions of the lost connection", async () => {
  const connection = new Connection();
  const message = { type: "zeroconf_ai/live" };
  subscribeLasting(connection as unknown as HomeAssistant["connection"], message, vi.fn(), vi.fn());
  await connection.pong();
  connection.tell("disconnected");
  connection.tell("ready");
  await vi.advanceTimersByTimeAsync(0);
  expect(connection.subscribeMessage).toHaveBeenCalledOnce();
  await connection.pong();
  expect(connection.subscribeMessage).toHaveBeenCalledTimes(2);
});

it("a subscription that is ended before it has begun never begins", async () => {
  const connection = new Connection();
  const onConnected = vi.fn();
  const message = { type: "zeroconf_ai/live" };
  const end = subscribeLasting(connection as unknown as HomeAssistant["connection"], message, vi.fn(), onConnected);
  await vi.waitFor(() => expect(connection.sendMessagePromise).toHaveBeenCalledOnce());
  const ponged = connection.pong();
  end();
  await ponged;
  expect(connection.subscribeMessage).not.toHaveBeenCalled();
  expect(onConnected).not.toHaveBeenCalled();
});
