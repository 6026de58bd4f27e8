import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { resetSocket } from "./reset-socket.ts";

/** Both ends of a connection; the listener ends with it. */
async function pair(): Promise<{ near: Socket; far: Socket }> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const near = connect({ port: (server.address() as AddressInfo).port, allowHalfOpen: true });
  const [far] = (await once(server, "connection")) as [Socket];
  if (near.connecting) await once(near, "connect");
  server.close();
  near.on("error", () => {});
  far.on("error", () => {});
  return { near, far };
}

test("reset: the other side sees ECONNRESET", async () => {
  const { near, far } = await pair();
  far.resume();
  resetSocket(near);
  const [error] = (await once(far, "error")) as [NodeJS.ErrnoException];
  assert.equal(error.code, "ECONNRESET");
});

test("reset: a socket whose end is on its way is closed as well", async () => {
  const { near, far } = await pair();
  far.resume();
  const closed = once(near, "close");
  near.end();
  // The system has been asked to shut it down, and has not said that it has.
  assert.equal(near.writableFinished, false);
  resetSocket(near);
  near.destroy();
  await closed;
  far.destroy();
});
