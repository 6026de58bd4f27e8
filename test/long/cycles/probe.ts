/**
 * Loaded into a gateway's process before the program (`--import`), for tests that ask what is alive in it: the program
 * itself has no such door. Listens on the Unix socket `CYCLES_PROBE`; whoever connects says of which classes, and is
 * answered in JSON. With `CYCLES_LEAK` it is a bug too, by which such a test shows that it finds bugs: of so many
 * connections one is never let go.
 */
import { subscribe } from "node:diagnostics_channel";
import { EventEmitter } from "node:events";
import { IncomingMessage, ServerResponse } from "node:http";
import { createServer, Socket } from "node:net";
import { queryObjects, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { ConflatedQueue } from "#downstream/conflated-queue.ts";
import { Connection } from "#downstream/connection.ts";
import { SseConnection } from "#downstream/sse-connection.ts";
import { Channel } from "#downstream/websocket-channel.ts";
import { Channels } from "#downstream/websocket-channels.ts";
import { ClientSocket } from "#downstream/websocket-client-socket.ts";
import { WebSocketConnection } from "#downstream/websocket-connection.ts";
import { Session } from "#downstream/websocket-session.ts";
import { HubEvent } from "#hub/hub-event.ts";
import { ChainReader, ScanReader } from "#hub/log-reader.ts";
import { PatternGroup, Subscription, Topic } from "#hub/topic.ts";

/** What is made for a connection, a request or a topic; instances of classes that extend these count as well. */
const MAIN_CLASSES = [Connection, Subscription, Topic, EventEmitter] as const;
const CLASSES = [
  ...MAIN_CLASSES,
  SseConnection,
  WebSocketConnection,
  ClientSocket,
  Session,
  Channels,
  Channel,
  PatternGroup,
  HubEvent,
  ChainReader,
  ScanReader,
  ConflatedQueue,
  Socket,
  IncomingMessage,
  ServerResponse,
  AbortController,
] as const;

/** What the process holds once garbage was collected. */
export interface Holdings {
  /** Live objects by class. */
  readonly objects: Readonly<Record<string, number>>;
  readonly heapBytes: number;
  /** Buffers and other memory outside the heap that JavaScript objects keep. */
  readonly externalBytes: number;
  /** Resident memory before and after the collection. */
  readonly residentBeforeBytes: number;
  readonly residentBytes: number;
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
setFlagsFromString("--no-expose-gc");

const server = createServer((socket) => {
  socket.on("error", () => {});
  socket.on("data", (kind) => void answer(socket, String(kind) === "every class" ? CLASSES : MAIN_CLASSES));
}).listen(process.env.CYCLES_PROBE);
// The gateway ends when it wants to.
server.unref();

const leakEvery = Number(process.env.CYCLES_LEAK);
const leaked: unknown[] = [];
let seen = 0;
if (leakEvery > 0) {
  subscribe("net.server.socket", (message) => {
    if (seen++ % leakEvery === 0) leaked.push((message as { readonly socket: Socket }).socket);
  });
}

async function answer(socket: Socket, classes: readonly { readonly name: string }[]): Promise<void> {
  const residentBeforeBytes = process.memoryUsage.rss();
  // What finalizers let go is collected in the next round.
  for (let round = 0; round < 3; round++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  const objects = Object.fromEntries(
    classes.map((type) => [
      type.name,
      queryObjects(type as unknown as { new (): object }, { format: "count" }),
    ]),
  );
  const holdings: Holdings = {
    objects,
    heapBytes: heapUsed,
    externalBytes: external,
    residentBeforeBytes,
    residentBytes: rss,
  };
  socket.end(`${JSON.stringify(holdings)}\n`);
}
