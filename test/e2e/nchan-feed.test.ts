import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { silentLogger } from "#base/logger.ts";
import { SystemClock } from "#base/system-clock.ts";
import { openFeed } from "#upstream/feed.ts";
import type { FeedEvent } from "#upstream/ports.ts";
import { until } from "../helpers/feed-server.ts";
import { required } from "../helpers/required.ts";

const NGINX = "/usr/sbin/nginx";
const NCHAN = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/** A feed server that is not ours: nginx with nchan, which keeps its last messages and resumes by `Last-Event-ID`. */
describe("nchan feed", { skip: required("nginx with nchan", existsSync(NGINX) && existsSync(NCHAN)) }, () => {
  test("nchan feed: what is published comes once and in order, across dropped connections and a restart", async () => {
    await using nginx = await Nginx.open();
    await using wire = await Wire.open(nginx.port);
    const clock = new SystemClock();
    const events: FeedEvent[] = [];
    const gaps: (readonly string[])[] = [];
    await using feed = openFeed(
      {
        name: "nchan",
        urls: [`http://127.0.0.1:${wire.port}/events/quotes`],
        topic: "/quotes/{key}",
        headers: {},
        items: null,
        key: "/symbol",
        state: "last",
        access: "public",
        pool: { keysPerLink: 1, linksMax: 1, lingerMs: 1000, gatherMs: 10 },
        health: { connectTimeoutMs: 5000, idleTimeoutMs: 30_000, rotateAfterMs: 0, eventBytesMax: 65_536 },
        retry: { minMs: 5, maxMs: 50, resetAfterMs: 1000 },
      },
      {
        clock,
        random: Math.random,
        log: silentLogger,
        sink: { publish: (event) => events.push(event), gap: (topics) => gaps.push(topics) },
      },
    );
    const linkIs = (state: string) => feed.stats().links[0]?.state === state;
    const numbers = () => events.map((event) => JSON.parse(event.data).n as number);
    const expected: number[] = [];
    const publish = async (count: number) => {
      for (let i = 0; i < count; i++) {
        const n = expected.length + 1;
        await nginx.publish("quotes", JSON.stringify({ symbol: n % 2 === 0 ? "A" : "B", n }));
        expected.push(n);
      }
    };
    const arrived = () => until("all events", () => events.length >= expected.length);

    await until("the link", () => linkIs("open"));
    await publish(20);
    await arrived();
    assert.deepEqual(numbers(), expected);
    assert.deepEqual([...new Set(events.map((event) => event.topic))], ["/quotes/B", "/quotes/A"]);

    // Reset, and reset again while nginx has what was missed: it is resumed from there.
    for (let round = 1; round <= 20; round++) {
      wire.cut();
      await publish(5);
      await arrived();
      assert.deepEqual(numbers(), expected);
      await until("the link", () => linkIs("open"));
    }
    assert.equal(gaps.length, 0);
    assert.ok(feed.counters.drops.total >= 20, "links were dropped");

    // Killed, it forgets what it held; the link comes back by itself, and what is published from then on arrives.
    await nginx.kill();
    await until("the loss", () => !linkIs("open"));
    await nginx.start();
    await until("the link", () => linkIs("open"));
    await publish(10);
    await arrived();
    assert.deepEqual(numbers(), expected);
    assert.equal(feed.stats().sockets, 1);
    assert.equal(clock.timersPending, 1);
  });
});

/** nginx in the foreground, on free ports, in a directory of its own. */
class Nginx implements AsyncDisposable {
  readonly #directory: string;
  readonly port: number;
  #process: ChildProcess | null = null;

  static async open(): Promise<Nginx> {
    const directory = await mkdtemp(join(tmpdir(), "streamkeeper-nchan-"));
    const nginx = new Nginx(directory, await freePort());
    await nginx.start();
    return nginx;
  }

  constructor(directory: string, port: number) {
    this.#directory = directory;
    this.port = port;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<void> {
    const file = join(this.#directory, "nginx.conf");
    await writeFile(file, configuration(this.#directory, this.port));
    const nginx = spawn(NGINX, ["-p", this.#directory, "-c", file, "-e", "error.log"], { stdio: "ignore" });
    this.#process = nginx;
    await until("nginx to listen", () => {
      assert.equal(nginx.exitCode, null, "nginx has ended");
      return existsSync(join(this.#directory, "nginx.pid"));
    });
    while (!(await this.#answers())) assert.equal(nginx.exitCode, null, "nginx has ended");
  }

  async publish(channel: string, data: string): Promise<void> {
    const response = await fetch(`${this.origin}/publish/${channel}`, { method: "POST", body: data });
    assert.ok(response.ok, `published: ${response.status}`);
    await response.arrayBuffer();
  }

  async kill(): Promise<void> {
    const nginx = this.#process;
    this.#process = null;
    if (nginx === null || nginx.exitCode !== null) return;
    const exited = new Promise((resolve) => nginx.once("exit", resolve));
    nginx.kill("SIGTERM");
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #answers(): Promise<boolean> {
    try {
      const response = await fetch(`${this.origin}/alive`);
      await response.arrayBuffer();
      return response.ok;
    } catch {
      return false;
    }
  }
}

/** The wire between a link and nginx, which can be cut. */
class Wire implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async open(to: number): Promise<Wire> {
    const wire = new Wire(to);
    await new Promise<void>((resolve) => wire.#server.listen(0, "127.0.0.1", resolve));
    return wire;
  }

  constructor(to: number) {
    this.#server = createServer((near) => {
      const far = connect(to, "127.0.0.1");
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on("error", () => {});
        socket.once("close", () => {
          this.#sockets.delete(socket);
          near.resetAndDestroy();
          far.resetAndDestroy();
        });
      }
      near.pipe(far);
      far.pipe(near);
    });
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : assert.fail("not open");
  }

  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.cut();
    await closed;
  }
}

function configuration(directory: string, port: number): string {
  const path = (name: string) => join(directory, name);
  return `
load_module ${NCHAN};
daemon off;
pid ${path("nginx.pid")};
error_log ${path("error.log")};
worker_processes 1;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path ${path("body")};
  proxy_temp_path ${path("proxy")};
  fastcgi_temp_path ${path("fastcgi")};
  uwsgi_temp_path ${path("uwsgi")};
  scgi_temp_path ${path("scgi")};
  server {
    listen 127.0.0.1:${port};
    location = /alive { return 200; }
    location ~ ^/publish/(\\w+)$ {
      nchan_publisher;
      nchan_channel_id $1;
      nchan_message_buffer_length 1000;
      nchan_message_timeout 5m;
    }
    location ~ ^/events/(\\w+)$ {
      nchan_subscriber eventsource;
      nchan_channel_id $1;
      nchan_subscriber_first_message newest;
    }
  }
}
`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return typeof address === "object" && address !== null ? address.port : assert.fail("no port");
}
