import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { startOwnGateway } from "#lab/load/own-gateway/process.ts";
import { serverUse } from "#lab/load/server-process.ts";
import { SseClient } from "../helpers/sse-client.ts";
import { WebSocketClient } from "../helpers/websocket-client.ts";
import { Recorder, visitAll } from "./sessions.ts";
import type { FuzzTarget } from "./target.ts";

const TOPIC = "/load/canary";
/** Inputs between two looks at the canaries. */
const CANARY_EVERY = 50;
/** How long an input's connection is left to the gateway, in milliseconds, when it neither answers nor closes. */
const PATIENCE_MS = 30;
/** Less than an input may take, so that it is the canary that is told of. */
const CANARY_MS_MAX = 10_000;
/**
 * With V8's heap kept small, memory settles within the first ten thousand inputs, some 100 MiB above the start, and stays;
 * without, V8 lets garbage lie for as long as there is room, and a leak could not be told from it.
 */
const NODE_OPTIONS = ["--max-old-space-size=96", "--max-semi-space-size=4"];
const MEMORY_GROWTH_MAX = 160 * 2 ** 20;

export interface GatewayTarget extends AsyncDisposable {
  readonly targets: readonly FuzzTarget[];
  /** Fails unless the gateway lives, serves, and has let go of what the inputs took. */
  checkAfter(): Promise<void>;
}

/** A whole gateway, a process of its own, that gets mutated sessions of real clients, signed in with a token that is good. */
export async function openGatewayTarget(): Promise<GatewayTarget> {
  await using stack = new AsyncDisposableStack();
  const gateway = stack.use(
    await startOwnGateway({
      connections: 1000,
      tls: null,
      more: "log: { bytesMax: 1MiB }",
      nodeOptions: NODE_OPTIONS,
    }),
  );
  const { token, url, pid } = gateway;
  const sessions = await (async () => {
    await using recorder = await new Recorder(url).open();
    return await visitAll({ recorder, token, topic: TOPIC });
  })();
  const memoryAtStart = serverUse(pid)?.memoryBytes ?? 0;
  const { port, hostname } = new URL(url);
  let subscribers: { readonly sse: SseClient; readonly socket: WebSocketClient } | null = null;
  let inputs = 0;
  let canaries = 0;

  const canary = async (): Promise<void> => {
    assert.ok(subscribers !== null, "prepared");
    const { sse, socket } = subscribers;
    const data = JSON.stringify({ canary: ++canaries });
    const body = new URLSearchParams({ topic: TOPIC, data });
    const headers = { authorization: `Bearer ${token}` };
    const signal = AbortSignal.timeout(CANARY_MS_MAX);
    const answer = await fetch(`${url}/.well-known/mercure`, { method: "POST", headers, body, signal });
    assert.equal(answer.status, 200, await answer.text());
    // Inputs may publish to the topic too: what counts is that this one came.
    await Promise.race([
      Promise.all([
        sse.until(() => sse.events.some((event) => event.data === data)),
        socket.until(() => socket.publications.some((seen) => JSON.stringify(seen.data) === data)),
      ]),
      once(signal, "abort").then(() => assert.fail("a canary got nothing")),
    ]);
    sse.body = "";
    for (const seen of [sse.events, socket.publications, socket.replies]) seen.length = 0;
  };

  const owned = stack.move();
  const target: FuzzTarget = {
    name: "gateway",
    captures: sessions.map(({ client }) => client),
    async prepare() {
      const sse = owned.use(await new SseClient(url, `match=${TOPIC}`, { token }).opened());
      const socket = owned.use(await WebSocketClient.signedIn(url, token));
      await socket.subscribe(TOPIC);
      subscribers = { sse, socket };
    },
    async check(_input, chunks) {
      const client = connect(Number(port), hostname);
      // A gateway that has had enough may reset; `once` of the events module would take that for its own failure.
      client.on("error", () => {}).resume();
      const closed = new Promise((resolve) => client.once("close", resolve));
      for (const chunk of chunks) client.write(chunk);
      client.end();
      const patience = setTimeout(() => client.destroy(), PATIENCE_MS);
      await closed;
      clearTimeout(patience);
      if (++inputs % CANARY_EVERY === 0) await canary();
    },
  };
  return {
    targets: [target],
    async checkAfter() {
      if (subscribers !== null) await canary();
      const deadline = AbortSignal.timeout(CANARY_MS_MAX);
      while ((await connections(url)) > 2)
        assert.ok(!deadline.aborted, "connections of inputs are still held");
      const use = serverUse(pid);
      assert.ok(use !== null, "the gateway lives");
      const growth = use.memoryBytes - memoryAtStart;
      assert.ok(growth < MEMORY_GROWTH_MAX, `its memory grew by ${growth} bytes`);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** By the gateway's own books. */
async function connections(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(CANARY_MS_MAX) })).text();
  const lines = [...text.matchAll(/^streamkeeper_connections\{.*\} (\d+)$/gm)];
  return lines.reduce((sum, [, count]) => sum + Number(count), 0);
}
