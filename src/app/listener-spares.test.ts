import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { test } from "node:test";
import { VirtualClock } from "#base/virtual-clock.ts";
import { until } from "../../test/helpers/feed-server.ts";
import { tlsFixture } from "../../test/helpers/http2-feed.ts";
import { Listener } from "./listener.ts";

async function listening(port = 0, isSecure = false) {
  const listener = new Listener({
    host: "127.0.0.1",
    port,
    tls: isSecure ? { cert: tlsFixture("good.crt"), key: tlsFixture("good.key") } : null,
    http2: false,
    clock: new VirtualClock(),
    sessionsMax: () => 100,
    keepAliveMs: () => 25_000,
  });
  const held: Socket[] = [];
  listener.serve(
    [],
    (request) => void held.push(request.socket),
    (_request, socket) => socket.destroy(),
  );
  await listener.open();
  return { listener, held, port: listener.address.port };
}

function dial(port: number): Socket {
  return connect(port, "127.0.0.1")
    .on("error", () => {})
    .on("connect", function (this: Socket) {
      this.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    });
}

test("listener: a second one on its port is told that it is in use, though sockets of one share theirs", async () => {
  const { listener, port } = await listening();
  await using _ = listener;
  await assert.rejects(listening(port), { code: "port_in_use" });
});

test("listener: whichever of its sockets lets a client in, its request is answered, and the bound on all is one", {
  skip: process.platform !== "linux",
}, async () => {
  const { listener, held, port } = await listening();
  await using _ = listener;
  listener.limitSockets(40);
  const clients = Array.from({ length: 60 }, () => dial(port));
  try {
    await until("all were let in or sent away", () => {
      const away = clients.filter(({ destroyed }) => destroyed).length;
      return held.length === 40 && away === 20;
    });
    assert.deepEqual([...listener.errorEntries()], [["listener:dropped", 20]]);
    for (const client of clients) client.destroy();
    await until("all are gone", () => held.every(({ destroyed }) => destroyed));
    const again = dial(port);
    await until("there is room again", () => held.length === 41);
    again.destroy();
  } finally {
    for (const client of clients) client.destroy();
  }
});

for (const isSecure of [false, true]) {
  test(`listener: a client's end is seen whichever socket let it in, ${isSecure ? "with" : "without"} TLS`, async () => {
    const { listener, port } = await listening(0, isSecure);
    await using _ = listener;
    let open = 0;
    const sockets = isSecure ? "secureConnection" : "connection";
    listener.server.on(sockets, (socket: Socket) => {
      open++;
      socket.on("close", () => open--);
    });
    const { connect: secure } = await import("node:tls");
    const clients = Array.from({ length: 24 }, () =>
      isSecure
        ? secure({ port, host: "127.0.0.1", servername: "localhost", ca: tlsFixture("ca.crt") })
        : connect(port, "127.0.0.1"),
    );
    for (const client of clients) client.on("error", () => {});
    await until("all are in", () => open === 24);
    for (const [index, client] of clients.entries()) {
      if (index % 2 === 0) client.end();
      else client.destroy();
    }
    await until("all are out", () => open === 0);
  });
}

test("listener: closed, none of its sockets lets anybody in", async () => {
  const { listener, port } = await listening();
  await listener[Symbol.asyncDispose]();
  for (let tries = 0; tries < 12; tries++) {
    const client = connect(port, "127.0.0.1");
    const [error] = await once(client, "error");
    assert.equal((error as NodeJS.ErrnoException).code, "ECONNREFUSED");
  }
});
