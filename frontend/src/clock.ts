import type { ReactiveController, ReactiveControllerHost } from "lit";

/** The time, by which an element is drawn again each second while it is on the page. */
export class Clock implements ReactiveController {
  /** Seconds since the epoch. */
  now = Date.now() / 1000;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly host: ReactiveControllerHost) {
    host.addController(this);
  }

  hostConnected(): void {
    this.timer = setInterval(() => {
      this.now = Date.now() / 1000;
      this.host.requestUpdate();
    }, 1000);
  }

  hostDisconnected(): void {
    clearInterval(this.timer);
  }
}
