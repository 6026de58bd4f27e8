import { VirtualClock } from "#base/virtual-clock.ts";
import { type Dial, Dialer, type DialerOptions, type DialFailure } from "#upstream/dialer.ts";
import { tlsFixture } from "./http2-feed.ts";

/** Trusts the fixtures' authority. */
export const TRUST = { ca: tlsFixture("ca.crt"), client: null };

/** A dial, and what was said of it. */
class SeenDial {
  opened = 0;
  text = "";
  failure: DialFailure | null = null;
  readonly dial: Dial;

  constructor(dialer: Dialer, url: string, lastEventId = "", headers: Record<string, string> = {}) {
    this.dial = dialer.dial(
      { url, headers, lastEventId },
      {
        opened: () => {
          this.opened++;
        },
        data: (chunk) => {
          this.text += chunk.toString();
        },
        failed: (failure) => {
          this.failure = failure;
        },
      },
    );
  }

  get reason(): string | null {
    return this.failure?.reason ?? null;
  }
}

/** A dialer in virtual time. */
export class DialRig implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly dialer: Dialer;
  readonly dials: SeenDial[] = [];

  constructor(options: DialerOptions = {}) {
    this.dialer = new Dialer(this.clock, { tls: TRUST, ...options });
  }

  dial(url: string, lastEventId?: string, headers?: Record<string, string>): SeenDial {
    const dial = new SeenDial(this.dialer, url, lastEventId, headers);
    this.dials.push(dial);
    return dial;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { dial } of this.dials) dial.destroy();
    await this.dialer.drained();
    if (this.clock.timersPending + this.dialer.sockets + this.dialer.sessions > 0)
      throw new Error("a timer, a socket or a session is left");
  }
}
