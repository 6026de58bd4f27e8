import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Http1Carrier } from "#upstream/http1-carrier.ts";
import { captures } from "./captures.ts";
import type { FuzzTarget } from "./target.ts";

/** HTTP/1.1 responses of feeds, over a real socket. */
export async function openCarrierTarget(): Promise<{ targets: FuzzTarget[] } & AsyncDisposable> {
  let chunks: readonly Buffer[] = [];
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => {}).once("close", () => open.delete(socket));
    // Only once the request is there, as a server answers.
    socket.once("data", () => {
      for (const chunk of chunks) socket.write(chunk);
      socket.end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const target: FuzzTarget = {
    name: "http1-response",
    captures: captures("", "server"),
    async check(input, pieces) {
      chunks = [input];
      const whole = await exchange(port);
      chunks = pieces;
      const cut = await exchange(port);
      assert.deepEqual(cut.statuses, whole.statuses, "chunks change nothing");
      // A broken body may be given up earlier or later, but what is taken from it is the same.
      assert.ok(whole.data.startsWith(cut.data) || cut.data.startsWith(whole.data));
      if (whole.reason === "ended") assert.equal(cut.data, whole.data);
    },
  };
  return {
    targets: [target],
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close");
      server.close();
      // A response that never ended is a failure that has been told; it must not keep the process too.
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
}

/** One request; resolves when it is over, which it must be, once. */
async function exchange(port: number): Promise<{ statuses: number[]; data: string; reason: string }> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  const statuses: number[] = [];
  let data = "";
  let overs = 0;
  let isDataLate = false;
  const over = Promise.withResolvers<string>();
  const request = {
    url: new URL(`http://127.0.0.1:${port}/quotes`),
    headers: { accept: "text/event-stream" },
  };
  const running = new Http1Carrier(socket).request(request, {
    answered: (status) => void statuses.push(status),
    data: (chunk) => {
      // Thrown from here, it would end the process instead of the input.
      isDataLate ||= overs > 0;
      data += chunk.toString("latin1");
    },
    over: ({ reason }) => {
      overs++;
      over.resolve(reason);
    },
  });
  const reason = await over.promise;
  running.destroy();
  await closed(socket);
  assert.equal(overs, 1);
  assert.ok(!isDataLate, "nothing after the end");
  assert.ok(statuses.length <= 1, "one response");
  return { statuses, data, reason };
}

async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await new Promise((resolve) => socket.once("close", resolve));
}
