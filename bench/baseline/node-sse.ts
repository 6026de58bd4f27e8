import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { readFeed } from "./feed-reader.ts";

/** SSE as it is mostly written in Node: `res.write` for each event and client. `node node-sse.ts FEED_PORT` */
const clients = new Set<ServerResponse>();

const server = createServer((request, response) => {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  response.write(": ok\n\n");
  clients.add(response);
  response.on("close", () => clients.delete(response));
  request.resume();
});

server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () => {
  readFeed(Number(process.argv[2]), (events) => {
    for (const data of events) {
      const block = `data: ${data}\n\n`;
      for (const client of clients) client.write(block);
    }
  });
  console.log(JSON.stringify({ port: (server.address() as AddressInfo).port }));
});
