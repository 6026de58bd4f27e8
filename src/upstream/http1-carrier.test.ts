import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { DialRig } from "../../test/helpers/dial-rig.ts";
import { until } from "../../test/helpers/feed-server.ts";

const HEADS = {
  "that says Connection: close": "Connection: close\r\nTransfer-Encoding: chunked\r\n",
  "that is kept alive": "Transfer-Encoding: chunked\r\n",
  "that ends with its connection": "Connection: close\r\n",
  "of HTTP/1.0": "",
} as const;

for (const [what, head] of Object.entries(HEADS)) {
  test(`HTTP/1.1: a reset in a response ${what} is a reset, an orderly end is not`, async () => {
    const sockets: Socket[] = [];
    const version = what.endsWith("1.0") ? "1.0" : "1.1";
    const body = head.includes("chunked") ? "9\r\ndata: 1\n\n\r\n" : "data: 1\n\n";
    const server = createServer((socket) => {
      sockets.push(socket.on("error", () => {}));
      socket.once("data", () =>
        socket.write(`HTTP/${version} 200 OK\r\nContent-Type: text/event-stream\r\n${head}\r\n${body}`),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      await using rig = new DialRig();
      const { port } = server.address() as { port: number };
      const reset = rig.dial(`http://127.0.0.1:${port}/`);
      await until("the event is there", () => reset.text !== "");
      sockets[0]?.resetAndDestroy();
      await until("the dial is over", () => reset.reason !== null);
      assert.equal(reset.reason, "reset");
      const ended = rig.dial(`http://127.0.0.1:${port}/`);
      await until("the event is there", () => ended.text !== "");
      sockets[1]?.end();
      await until("the dial is over", () => ended.reason !== null);
      assert.equal(ended.reason, head.includes("chunked") ? "truncated" : "ended");
    } finally {
      for (const socket of sockets) socket.destroy();
      server.close();
    }
  });
}
