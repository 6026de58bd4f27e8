/**
 * A service for `sse-contract-tests` (github.com/launchdarkly/sse-contract-tests, `docs/service_spec.md`): the harness
 * asks it over HTTP for SSE clients, and each of them is a real link of ours. Run by name it listens until the harness
 * or a signal stops it:
 *
 *     node --conditions=streamkeeper-source test/contract/sse-contract-service.ts [port]      default port 8000
 *
 * What links don't do is not among the capabilities: comments are not handed out, and feeds are asked by GET only.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { messageOf } from "#base/errors.ts";
import { silentLogger } from "#base/logger.ts";
import { SystemClock } from "#base/system-clock.ts";
import { Dialer, type DialRequest } from "#upstream/dialer.ts";
import type { StreamEvent } from "#upstream/event-stream.ts";
import { FeedCounters } from "#upstream/feed-counters.ts";
import { Link, type LinkOwner } from "#upstream/link.ts";
import { LINK_REASONS, type LinkReason } from "#upstream/link-reason.ts";
import { QuietLog } from "#upstream/quiet-log.ts";

const CAPABILITIES = [
  "bom",
  "headers",
  "last-event-id",
  "read-timeout",
  "restart",
  "server-directed-shutdown-request",
];

/** What the harness sends to have a client made; more than we use. */
interface StreamParams {
  readonly streamUrl: string;
  readonly callbackUrl: string;
  readonly initialDelayMs?: number | null;
  readonly readTimeoutMs?: number | null;
  readonly lastEventId?: string | null;
  readonly headers?: Record<string, string> | null;
}

export class ContractService implements AsyncDisposable {
  /** Settles when the harness has asked the service to stop. */
  readonly stopped: Promise<void>;
  readonly #server: Server;
  readonly #clients = new Map<string, Client>();
  #clientId = 0;
  #stop: () => void = () => {};

  constructor() {
    this.stopped = new Promise((resolve) => {
      this.#stop = resolve;
    });
    this.#server = createServer((request, response) => {
      void this.#answer(request, response).catch((thrown: unknown) =>
        response.writeHead(400).end(messageOf(thrown)),
      );
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Clients that the harness has not closed. */
  get clients(): number {
    return this.#clients.size;
  }

  listen(port = 0): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, "127.0.0.1", resolve);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients.values()) await client.close();
    this.#clients.clear();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path, method] = [request.url ?? "/", request.method ?? "GET"];
    if (path === "/") {
      await this.#answerRoot(method, request, response);
      return;
    }
    const client = this.#clients.get(path);
    if (client === undefined) {
      response.writeHead(404).end();
    } else if (method === "DELETE") {
      this.#clients.delete(path);
      await client.close();
      response.writeHead(204).end();
    } else {
      const { command } = JSON.parse(await text(request)) as { command: string };
      if (command === "restart") client.restart();
      response.writeHead(command === "restart" ? 204 : 400).end();
    }
  }

  async #answerRoot(method: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (method === "GET" || method === "HEAD") {
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ name: "streamkeeper", capabilities: CAPABILITIES }));
    } else if (method === "DELETE") {
      response.writeHead(204).end(() => this.#stop());
    } else {
      const client = new Client(JSON.parse(await text(request)) as StreamParams);
      const path = `/clients/${++this.#clientId}`;
      this.#clients.set(path, client);
      client.open();
      response.writeHead(201, { location: path }).end();
    }
  }
}

/** One link, and the callbacks that tell the harness what comes of it. */
class Client implements LinkOwner {
  readonly #params: StreamParams;
  readonly #clock = new SystemClock();
  readonly #dialer = new Dialer(this.#clock);
  #link: Link;
  #linkId = 0;
  #callbackId = 0;
  /** Callbacks leave one after the other. */
  #told: Promise<void> = Promise.resolve();

  constructor(params: StreamParams) {
    this.#params = params;
    this.#link = this.#newLink(params.lastEventId ?? "");
  }

  open(): void {
    this.#link.open();
  }

  /** As the pool does it: a new link goes on where the old one stopped. */
  restart(): void {
    const { lastEventId } = this.#link;
    this.#link.destroy("replaced");
    this.#link = this.#newLink(lastEventId);
    this.#link.open();
  }

  async close(): Promise<void> {
    this.#link.destroy("closed");
    await this.#dialer.drained();
    await this.#told;
  }

  request(link: Link): DialRequest {
    return {
      url: this.#params.streamUrl,
      headers: this.#params.headers ?? {},
      lastEventId: link.lastEventId,
    };
  }

  event(link: Link, { type, data }: StreamEvent): void {
    this.#tell({ kind: "event", event: { type: type || "message", data, id: link.lastEventId } });
  }

  over(_link: Link, reason: LinkReason): void {
    if (LINK_REASONS[reason].verdict !== "own") this.#tell({ kind: "error", error: reason });
  }

  opened(): void {}

  aged(): void {}

  skipped(): void {}

  holdBackMs(): number {
    return 0;
  }

  #newLink(lastEventId: string): Link {
    const clock = this.#clock;
    const { initialDelayMs, readTimeoutMs } = this.#params;
    const link = new Link(
      ++this.#linkId,
      this,
      {
        clock,
        random: Math.random,
        log: silentLogger,
        quietLog: new QuietLog(silentLogger, clock),
        dialer: this.#dialer,
        counters: new FeedCounters(),
        feed: "contract",
      },
      {
        health: {
          connectTimeoutMs: 10_000,
          idleTimeoutMs: readTimeoutMs ?? 60_000,
          rotateAfterMs: 0,
          // The harness sends an event of 10 MiB.
          eventBytesMax: 16 << 20,
        },
        retry: { minMs: Math.max(1, initialDelayMs ?? 1000), maxMs: 5000, resetAfterMs: 1000 },
      },
    );
    link.lastEventId = lastEventId;
    return link;
  }

  #tell(message: object): void {
    const url = `${this.#params.callbackUrl}/${++this.#callbackId}`;
    this.#told = this.#told.then(async () => {
      // The harness closes its endpoint with the test, and does not wait for what we still have to say.
      const response = await fetch(url, { method: "POST", body: JSON.stringify(message) }).catch(() => null);
      await response?.arrayBuffer().catch(() => {});
    });
  }
}

if (import.meta.main) {
  await using service = new ContractService();
  await service.listen(Number(process.argv[2] ?? 8000));
  console.log(`contract service on ${service.url}`);
  const signalled = new Promise<void>((resolve) => {
    process.once("SIGTERM", () => resolve());
    process.once("SIGINT", () => resolve());
  });
  await Promise.race([service.stopped, signalled]);
}
