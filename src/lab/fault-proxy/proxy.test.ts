import assert from "node:assert/strict";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { describe, test } from "node:test";
import type { Clock } from "#base/clock.ts";
import { SystemClock } from "#base/system-clock.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { until } from "../../../test/helpers/feed-server.ts";
import { type FaultProxyOptions, openFaultProxy } from "./proxy.ts";
import { type ConnectionScript, inTurn } from "./script.ts";

describe("fault proxy", () => {
  test("fault proxy: without faults, bytes and orderly ends pass both ways", async () => {
    await using rig = await Rig.open([]);
    const { client, target } = await rig.connect();
    client.write("ping");
    await until("ping", () => target.text === "ping");
    target.socket.end("pong");
    await until("the end", () => client.ended);
    assert.equal(client.text, "pong");
    client.socket.write("more");
    await until("the other direction", () => target.text === "pingmore");
    client.socket.end();
    await until("both closed", () => client.closed && target.closed);
    assert.deepEqual([client.error, target.error], [null, null]);
    assert.deepEqual(rig.proxy.stats().bytes, { up: 8, down: 4 });
    await until("no relay", () => rig.proxy.stats().active === 0);
  });

  test("fault proxy: a reset after bytes is a reset on both sides, after exactly those bytes", async () => {
    for (const direction of ["up", "down"] as const) {
      await using rig = await Rig.open([{ do: "reset", direction, at: { bytes: 5 } }]);
      const { client, target } = await rig.connect();
      const [from, to] = direction === "up" ? [client, target] : [target, client];
      from.write("abcdefgh");
      await until("both closed", () => client.closed && target.closed);
      assert.equal(to.text, "abcde");
      assert.deepEqual([client.error, target.error], ["ECONNRESET", "ECONNRESET"]);
      assert.equal(rig.proxy.stats().faults.reset, 1);
    }
  });

  test("fault proxy: a reset at once comes before anything else", async () => {
    await using rig = await Rig.open([{ do: "reset" }]);
    const client = rig.dial();
    await until("the reset", () => client.closed);
    assert.equal(client.error, "ECONNRESET");
  });

  test("fault proxy: a client that has left before a silence does not stay for ever", async () => {
    await using rig = await Rig.open([]);
    const { client, target } = await rig.connect();
    client.socket.end();
    await until("the client's end", () => target.ended);
    rig.proxy.inject({ do: "silence" });
    await until("no relay", () => rig.proxy.stats().active === 0);
  });

  test("fault proxy: silence lets nothing through, not even an end, and a client that leaves frees its target", async () => {
    await using rig = await Rig.open([{ do: "silence", at: { bytes: 2 } }]);
    const { client, target } = await rig.connect();
    target.write("abcd");
    await until("the first bytes", () => client.text === "ab");
    target.socket.end("ef");
    client.write("still heard");
    await until("the other direction", () => target.text === "still heard");
    await until("the target's end", () => rig.proxy.stats().bytes.up === 11);
    assert.deepEqual([client.text, client.ended, client.closed], ["ab", false, false]);
    client.socket.destroy();
    await until("no relay", () => rig.proxy.stats().active === 0 && target.closed);
  });

  test("fault proxy: silence upwards leaves the answer alone", async () => {
    await using rig = await Rig.open([{ do: "silence", direction: "up" }]);
    const { client, target } = await rig.connect();
    client.write("lost");
    target.write("heard");
    await until("the answer", () => client.text === "heard");
    assert.equal(target.text, "");
    client.socket.end();
    await until("no relay", () => rig.proxy.stats().active === 0);
  });

  test("fault proxy: a truncation is an orderly end after so many bytes", async () => {
    await using rig = await Rig.open([{ do: "truncate", at: { bytes: 3 } }]);
    const { client, target } = await rig.connect();
    target.write("abcdef");
    await until("the end", () => client.ended);
    assert.deepEqual([client.text, client.error], ["abc", null]);
    await until("the target's", () => target.ended || target.closed);
  });

  test("fault proxy: one direction is closed and the other goes on", async () => {
    await using rig = await Rig.open([{ do: "close_half", at: { bytes: 3 } }]);
    const { client, target } = await rig.connect();
    target.write("abcdef");
    await until("the end", () => client.ended);
    client.write("still heard");
    await until("the other direction", () => target.text === "still heard");
    assert.equal(client.text, "abc");
  });

  test("fault proxy: bytes are spoilt, as many as asked for", async () => {
    await using rig = await Rig.open([{ do: "corrupt", at: { bytes: 1 }, bytes: 2, mask: 0x20 }]);
    const { client, target } = await rig.connect();
    target.write("abcd");
    await until("all", () => client.text.length === 4);
    assert.equal(client.text, "aBCd");
  });

  test("fault proxy: a delay and a trickle keep their times, and an end waits behind them", async () => {
    const clock = new VirtualClock();
    await using rig = await Rig.open(
      [
        { do: "delay", ms: 1000 },
        { do: "trickle", bytes: 2, everyMs: 10 },
      ],
      { clock },
    );
    const { client, target } = await rig.connect();
    target.socket.end("abcde");
    await until("the bytes and the end in the proxy", () => clock.timersPending === 1 && target.finished);
    client.write("x");
    await until("the other direction", () => target.text === "x");
    clock.advance(999);
    assert.equal(rig.proxy.stats().bytes.down, 0);
    clock.advance(1);
    await until("the first", () => client.text === "ab");
    clock.advance(10);
    await until("the second", () => client.text === "abcd");
    assert.equal(client.ended, false);
    clock.advance(1000);
    await until("the end", () => client.ended);
    assert.equal(client.text, "abcde");
    assert.equal(clock.timersPending, 0);
  });

  test("fault proxy: what a trickle holds back is bounded", async () => {
    const clock = new VirtualClock();
    await using rig = await Rig.open([{ do: "trickle", bytes: 1, everyMs: 1000 }], {
      clock,
      options: { bufferBytesMax: 1000 },
    });
    const { target } = await rig.connect();
    let isFull = false;
    for (let i = 0; i < 1000 && !isFull; i++) {
      isFull = !target.socket.write(Buffer.alloc(1 << 16));
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
    assert.ok(target.socket.writableLength > 0, "the target is held back");
  });

  test("fault proxy: refused means that nobody listens; accepted again on the same port, those that were up stayed", async () => {
    await using rig = await Rig.open([]);
    const { client, target } = await rig.connect();
    await rig.proxy.refuse();
    const refused = rig.dial();
    await until("the refusal", () => refused.closed);
    assert.equal(refused.error, "ECONNREFUSED");
    target.write("still there");
    await until("the bytes", () => client.text === "still there");
    await rig.proxy.accept();
    await rig.connect();
  });

  test("fault proxy: a fault is done to connections that are up, the next script to the next one", async () => {
    await using rig = await Rig.open([]);
    const first = await rig.connect();
    rig.proxy.script = inTurn([], [{ do: "reset" }]);
    assert.equal(rig.proxy.inject({ do: "silence" }), 1);
    first.target.write("lost");
    const second = rig.dial();
    await until("the reset", () => second.closed);
    assert.deepEqual([first.client.text, second.error], ["", "ECONNRESET"]);
    assert.deepEqual(rig.proxy.stats().faults, { silence: 1, reset: 1 });
  });

  test("fault proxy: connections beyond the bound are reset", async () => {
    await using rig = await Rig.open([], { options: { connectionsMax: 1 } });
    await rig.connect();
    const second = rig.dial();
    await until("the reset", () => second.closed);
    const { active, refused, opened } = rig.proxy.stats();
    assert.deepEqual({ active, refused, opened }, { active: 1, refused: 1, opened: 1 });
  });

  test("fault proxy: a target that refuses is a reset for the client", async () => {
    await using rig = await Rig.open([]);
    await rig.stopTarget();
    const client = rig.dial();
    await until("the reset", () => client.closed);
    assert.equal(client.error, "ECONNRESET");
  });

  test("fault proxy: closed twice, it leaves no socket and no timer, whatever it was doing", async () => {
    const clock = new VirtualClock();
    await using rig = await Rig.open(
      [
        { do: "delay", ms: 1000 },
        { do: "silence", direction: "up" },
      ],
      { clock },
    );
    const { client, target } = await rig.connect();
    target.write("held");
    await until("it is held", () => clock.timersPending === 1);
    await Promise.all([rig.proxy.close(), rig.proxy.close()]);
    assert.equal(clock.timersPending, 0);
    await until("both ends", () => [client, target].every((end) => end.ended || end.closed));
    assert.equal(rig.proxy.stats().active, 0);
  });
});

/** A socket and what came of it. */
class End {
  readonly socket: Socket;
  text = "";
  ended = false;
  closed = false;
  finished = false;
  error: string | null = null;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk) => {
      this.text += chunk.toString();
    });
    socket.on("end", () => {
      this.ended = true;
    });
    socket.on("finish", () => {
      this.finished = true;
    });
    socket.on("close", () => {
      this.closed = true;
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      this.error = error.code ?? error.message;
    });
  }

  write(text: string): void {
    this.socket.write(text);
  }
}

interface RigOptions {
  readonly clock?: Clock;
  readonly options?: Partial<FaultProxyOptions>;
}

class Rig implements AsyncDisposable {
  readonly proxy: Awaited<ReturnType<typeof openFaultProxy>>;
  readonly #targets: End[];
  readonly #clients: End[] = [];
  readonly #server: ReturnType<typeof createServer>;

  constructor(proxy: Rig["proxy"], server: ReturnType<typeof createServer>, targets: End[]) {
    this.proxy = proxy;
    this.#server = server;
    this.#targets = targets;
  }

  static async open(
    script: ConnectionScript,
    { clock = new SystemClock(), options = {} }: RigOptions = {},
  ): Promise<Rig> {
    const targets: End[] = [];
    const server = createServer({ allowHalfOpen: true }, (socket) => targets.push(new End(socket)));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const proxy = await openFaultProxy({ target: { port }, script: inTurn(script), ...options }, clock);
    return new Rig(proxy, server, targets);
  }

  dial(): End {
    const client = new End(connect({ port: this.proxy.port, host: "127.0.0.1", allowHalfOpen: true }));
    this.#clients.push(client);
    return client;
  }

  async connect(): Promise<{ client: End; target: End }> {
    const { length } = this.#targets;
    const client = this.dial();
    await until("the target's connection", () => this.#targets.length > length);
    return { client, target: this.#targets[length] ?? assert.fail() };
  }

  async stopTarget(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.proxy.close();
    for (const end of [...this.#clients, ...this.#targets]) end.socket.destroy();
    if (this.#server.listening) await this.stopTarget();
  }
}
