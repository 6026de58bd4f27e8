import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, IncomingMessage, type Server, ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, test } from "node:test";
import { connect as connectSecure } from "node:tls";
import { queryObjects } from "node:v8";
import { takeOverSocket } from "./socket-takeover.ts";

const HEAD = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello\n";
const REQUEST = "GET / HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n";

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

interface Taken {
  readonly port: number;
  readonly sockets: (Socket | null)[];
  parserClass: (new () => object) | null;
}

/** A server that takes every socket over, and keeps what it got. */
async function takingServer(secure = false): Promise<Taken> {
  const sockets: (Socket | null)[] = [];
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    taken.parserClass ??= (
      request.socket as unknown as { parser: { constructor: new () => object } }
    ).parser.constructor;
    if (request.headers["x-body"] === undefined) request.resume();
    setImmediate(() => {
      const socket = takeOverSocket(request, response);
      sockets.push(socket);
      if (socket === null) return;
      socket.on("error", ignore);
      socket.on("end", end);
      socket.write(HEAD);
    });
  };
  const server: Server = secure
    ? createSecureServer({ key: pem("good.key"), cert: pem("good.crt") }, serve)
    : createServer(serve);
  server.on("connection", (socket: Socket) => socket.on("error", () => {}));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const taken: Taken = { port: (server.address() as AddressInfo).port, sockets, parserClass: null };
  cleanups.push(async () => {
    for (const socket of sockets) socket?.destroy();
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  });
  return taken;
}

async function open(port: number, secure = false, request = REQUEST): Promise<Socket> {
  const socket = secure ? connectSecure({ port, rejectUnauthorized: false }) : connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.write(request);
  socket.setEncoding("utf8");
  await once(socket, "data");
  return socket;
}

/** Shared, since a closure made beside a request would keep it alive. */
function ignore(): void {}

function end(this: Socket): void {
  this.destroy();
}

/** `once` would take an error before it for a failure. */
async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await new Promise<void>((resolve) => socket.once("close", () => resolve()));
}

function pem(name: string): Buffer {
  return readFileSync(new URL(`../../test/fixtures/tls/${name}`, import.meta.url));
}

function count(type: unknown): number {
  return queryObjects(type as new () => object, { format: "count" });
}

for (const secure of [false, true]) {
  const kind = secure ? "TLS" : "plain";

  test(`takeover, ${kind}: nothing of http is left on an open socket`, async () => {
    const before = { requests: count(IncomingMessage), responses: count(ServerResponse) };
    const server = await takingServer(secure);
    const clients: Socket[] = [];
    for (let index = 0; index < 100; index++) clients.push(await open(server.port, secure));
    assert.equal(server.sockets.length, 100);
    for (const socket of server.sockets) {
      assert.ok(socket !== null);
      for (const event of ["data", "end", "close", "drain", "error", "timeout", "resume", "pause"] as const) {
        const names: string[] = socket.listeners(event).map((listener) => listener.name);
        assert.ok(
          !names.some((name) => /socketOn|onSocket(Resume|Pause)|ServerResponse/.test(name)),
          `${event}: ${names}`,
        );
      }
    }
    assert.equal(count(IncomingMessage), before.requests, "requests are kept alive");
    assert.equal(count(ServerResponse), before.responses, "responses are kept alive");
    // Parsers are pooled: the few that served the requests one after another are all there are.
    assert.ok(count(server.parserClass) < 20, "parsers are kept alive");
    for (const client of clients) client.destroy();
  });

  test(`takeover, ${kind}: bytes go out, an orderly end and a cut are seen`, async () => {
    const server = await takingServer(secure);
    const polite = await open(server.port, secure);
    const [socket] = server.sockets;
    assert.ok(socket);
    socket.write("more\n");
    assert.equal(String((await once(polite, "data"))[0]), "more\n");
    polite.end();
    await closed(socket);
    const rude = await open(server.port, secure);
    const cut = server.sockets[1];
    assert.ok(cut);
    if (secure) rude.destroy();
    else rude.resetAndDestroy();
    await closed(cut);
  });
}

test("takeover: a reset reaches the new owner's error listener", async () => {
  const server = await takingServer();
  const client = await open(server.port);
  const [socket] = server.sockets;
  assert.ok(socket);
  const failed = once(socket, "error");
  client.resetAndDestroy();
  const [error] = (await failed) as [NodeJS.ErrnoException];
  assert.equal(error.code, "ECONNRESET");
});

test("takeover: what the client still sends is read and dropped", async () => {
  const server = await takingServer();
  const client = await open(server.port);
  const [socket] = server.sockets;
  assert.ok(socket);
  client.write(Buffer.alloc(4 * 1024 * 1024, "x"));
  client.end("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await closed(socket);
  assert.equal(socket.readableLength, 0);
  assert.equal(server.sockets.length, 1, "no second request was read");
});

test("takeover: is refused for a request whose body was not read", async () => {
  const server = await takingServer();
  const client = connect(server.port, "127.0.0.1");
  client.on("error", () => {});
  client.write("GET / HTTP/1.1\r\nHost: x\r\nX-Body: 1\r\nContent-Length: 5\r\n\r\n");
  while (server.sockets.length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(server.sockets, [null]);
  client.destroy();
});

test("attack: a second request in the same packet is dropped, and does not harm the first", async () => {
  const before = count(IncomingMessage);
  const server = await takingServer();
  const client = await open(server.port, false, REQUEST + REQUEST);
  while (server.sockets.length < 2) await new Promise((resolve) => setImmediate(resolve));
  const [first, second] = server.sockets;
  assert.ok(first);
  assert.equal(second, null);
  first.write("more\n");
  assert.equal(String((await once(client, "data"))[0]), "more\n");
  assert.ok(count(IncomingMessage) <= before, "the requests are kept alive");
});
