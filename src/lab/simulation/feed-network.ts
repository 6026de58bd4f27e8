import type { Claim, Claimant } from "#upstream/claim.ts";
import type { ConnectionSource } from "#upstream/connections.ts";
import type { Exchange, ExchangeEnd, ExchangeListener, ExchangeRequest } from "#upstream/exchange.ts";
import type { Chance } from "./chance.ts";
import type { FeedOrigin, FeedStream } from "./feed-origin.ts";
import { Pipe } from "./pipe.ts";
import type { World } from "./world.ts";

/** What a stream's pipe carries to the gateway. */
type Piece =
  | { readonly kind: "answer"; readonly status: number; readonly headers: Record<string, string> }
  | { readonly kind: "data"; readonly bytes: Buffer }
  | { readonly kind: "over"; readonly end: ExchangeEnd };

/** One gateway process's connections to one feed. */
export class FeedNetwork implements ConnectionSource {
  readonly sessions = 0;
  readonly feed: string;
  readonly #world: World;
  readonly #chance: Chance;
  readonly #origin: FeedOrigin;
  readonly #open = new Set<FeedConnection>();
  #waiting: (() => void)[] = [];

  constructor(world: World, origin: FeedOrigin, life: string) {
    this.#world = world;
    this.#origin = origin;
    this.feed = origin.plan.name;
    this.#chance = world.chance("network", origin.plan.name, life);
  }

  get sockets(): number {
    return this.#open.size;
  }

  claim(url: URL, _options: unknown, claimant: Claimant): Claim {
    const connection = new FeedConnection(this.#world, this.#chance, this.#origin, () =>
      this.#closed(connection),
    );
    this.#open.add(connection);
    this.#world.note("dial", this.#origin.plan.name, url.search, this.#open.size);
    connection.connect(claimant);
    return { phase: "connect", leave: () => connection.leave() };
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#open.size === 0) resolve();
      else this.#waiting.push(resolve);
    });
  }

  /** All of them are reset in one instant, as when a router goes: only chance keeps them from coming back in one. */
  cutAll(): void {
    for (const connection of [...this.#open]) connection.cut();
  }

  /** The gateway's process is gone. */
  die(): void {
    for (const connection of [...this.#open]) connection.destroy();
    this.#waiting = [];
  }

  #closed(connection: FeedConnection): void {
    this.#open.delete(connection);
    if (this.#open.size > 0) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
    this.#world.time.disturb();
  }
}

/** One socket, for one request. */
class FeedConnection implements Exchange {
  readonly #world: World;
  readonly #chance: Chance;
  readonly #origin: FeedOrigin;
  readonly #closed: () => void;
  readonly #latencyMs: number;
  readonly #pipe: Pipe<Piece>;
  #listener: ExchangeListener | null = null;
  #stream: FeedStream | null = null;
  /** Null: all. */
  #keys: ReadonlySet<string> | null = null;
  #isOver = false;
  #isGranted = false;

  constructor(world: World, chance: Chance, origin: FeedOrigin, closed: () => void) {
    this.#world = world;
    this.#chance = chance;
    this.#origin = origin;
    this.#closed = closed;
    this.#latencyMs = chance.between(1, 150);
    this.#pipe = new Pipe(
      world,
      () => this.#latency(),
      (piece) => this.#arrive(piece),
    );
  }

  connect(claimant: Claimant): void {
    this.#world.time.in(this.#latency(), () => {
      if (this.#isOver || this.#origin.mood.kind === "mute") return;
      if (this.#origin.mood.kind === "down") {
        this.destroy();
        claimant.refused({ reason: "refused", message: "simulated ECONNREFUSED", again: "no" });
        return;
      }
      this.#isGranted = true;
      claimant.granted({
        request: (request, listener) => {
          this.#request(request, listener);
          return this;
        },
      });
    });
  }

  /** Resets it at the gateway's end, once it is granted; the feed learns of it later. */
  cut(): void {
    this.#arrive({ kind: "over", end: { reason: "reset", message: "simulated ECONNRESET", again: "no" } });
  }

  /** Nobody waits for it any more. */
  leave(): void {
    if (!this.#isGranted) this.destroy();
  }

  destroy(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#pipe.cut();
    const stream = this.#stream;
    // The feed learns of it later, and sends on until then.
    if (stream !== null) this.#world.time.in(this.#latency(), () => this.#origin.streams.delete(stream));
    this.#closed();
  }

  #request({ url, headers }: ExchangeRequest, listener: ExchangeListener): void {
    this.#listener = listener;
    const asked = url.searchParams.get("keys") ?? url.searchParams.get("key");
    this.#keys = asked === null ? null : new Set(asked.split(","));
    const resumes = headers["last-event-id"];
    this.#world.note("asks", this.#origin.plan.name, asked, resumes ?? null);
    this.#world.time.in(this.#latency(), () => {
      if (!this.#isOver) this.#serve(url, resumes === undefined ? null : Number(resumes));
    });
  }

  /** At the feed. */
  #serve(url: URL, afterSerial: number | null): void {
    const { mood } = this.#origin;
    const rejected = [...(this.#keys ?? [])].some((key) => this.#origin.isRejected(key));
    if (mood.kind === "mute") return;
    if (mood.kind === "down") {
      this.#pipe.send({
        kind: "over",
        end: { reason: "reset", message: "simulated ECONNRESET", again: "no" },
      });
    } else if (mood.kind === "status" || rejected) {
      const status = mood.kind === "status" ? mood.status : 404;
      const after = mood.kind === "status" ? mood.retryAfterS : null;
      this.#pipe.send({
        kind: "answer",
        status,
        headers: after === null ? {} : { "retry-after": `${after}` },
      });
    } else if (mood.kind === "moved" && !url.searchParams.has("moved")) {
      const location = `${url.pathname}${url.search === "" ? "?" : `${url.search}&`}moved=1`;
      this.#pipe.send({ kind: "answer", status: 307, headers: { location } });
    } else {
      this.#stream = {
        keys: this.#keys,
        send: (bytes) => this.#send(bytes),
        silence: (untilMs) => this.#pipe.silence(untilMs),
        over: (how) => this.#end(how),
      };
      this.#pipe.send({ kind: "answer", status: 200, headers: { "content-type": "text/event-stream" } });
      this.#origin.attach(this.#stream, this.#origin.plan.hasIds ? afterSerial : null);
    }
  }

  /** As networks do, in pieces that end anywhere. */
  #send(bytes: Buffer): void {
    const at = this.#chance.happens(0.05) ? this.#chance.whole(1, bytes.length - 1) : bytes.length;
    this.#pipe.send({ kind: "data", bytes: bytes.subarray(0, at) });
    if (at < bytes.length) this.#pipe.send({ kind: "data", bytes: bytes.subarray(at) });
  }

  #end(how: "reset" | "ended"): void {
    const stream = this.#stream;
    if (stream === null) return;
    this.#origin.streams.delete(stream);
    this.#pipe.send({ kind: "over", end: { reason: how, message: `simulated: ${how}`, again: "no" } });
  }

  #arrive(piece: Piece): void {
    const listener = this.#listener;
    if (this.#isOver || listener === null) return;
    this.#world.time.disturb();
    if (piece.kind === "answer") {
      listener.answered(piece.status, piece.headers);
    } else if (piece.kind === "data") {
      listener.data(piece.bytes);
    } else {
      this.destroy();
      listener.over(piece.end);
    }
  }

  #latency(): number {
    return this.#latencyMs * (1 + this.#chance.random() / 4);
  }
}
