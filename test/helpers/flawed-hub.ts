import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface FlawedHub extends AsyncDisposable {
  readonly url: string;
  /** Deliveries that went wrong, all subscribers together. */
  readonly flaws: { readonly dropped: number; readonly doubled: number; readonly moved: number };
}

/** Of so many of a subscriber's events one goes wrong, each time in the next way. */
const EVERY = 7;
const WAYS = ["dropped", "doubled", "moved"] as const;

/**
 * A Mercure hub of one topic, by `node:http` and in chunked coding as others are, that drops, doubles and moves events and
 * counts them.
 */
export async function openFlawedHub(): Promise<FlawedHub> {
  const subscribers: Subscriber[] = [];
  const flaws = { dropped: 0, doubled: 0, moved: 0 };
  const server = createServer((request, response) => {
    if (!request.url?.startsWith("/.well-known/mercure")) {
      response.writeHead(404).end();
    } else if (request.method === "GET") {
      response.writeHead(200, { "content-type": "text/event-stream" }).write(":\n\n");
      subscribers.push({ response, count: 0, held: "" });
    } else {
      let body = "";
      request.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      request.on("end", () => {
        const event = `id: 1\ndata: ${new URLSearchParams(body).get("data")}\n\n`;
        for (const subscriber of subscribers) deliver(subscriber, event);
        response.end("urn:uuid:1");
      });
    }
  });
  const deliver = (subscriber: Subscriber, event: string): void => {
    subscriber.count++;
    const way = subscriber.count % EVERY === 0 ? WAYS[(subscriber.count / EVERY) % WAYS.length] : undefined;
    if (way === "moved") {
      subscriber.held = event;
      return;
    }
    if (way !== undefined) flaws[way]++;
    if (subscriber.held !== "") flaws.moved++;
    const copies = way === "dropped" ? "" : way === "doubled" ? event + event : event;
    subscriber.response.write(copies + subscriber.held);
    subscriber.held = "";
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    flaws,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

interface Subscriber {
  readonly response: ServerResponse;
  count: number;
  /** An event that comes after its successor. */
  held: string;
}
