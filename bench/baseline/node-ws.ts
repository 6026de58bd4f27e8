import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { readFeed } from "./feed-reader.ts";

/**
 * WebSocket as it is mostly written in Node: `ws`, and `send` for each event and client. It echoes what clients send.
 * `node node-ws.ts FEED_PORT`
 */
const server = createServer();
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on("connection", (socket) => {
  socket.on("error", () => socket.terminate());
  socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
});

server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () => {
  readFeed(Number(process.argv[2]), (events) => {
    for (const data of events) {
      for (const socket of sockets.clients) socket.send(data);
    }
  });
  console.log(JSON.stringify({ port: (server.address() as AddressInfo).port }));
});
