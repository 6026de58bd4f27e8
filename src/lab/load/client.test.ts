import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import type { Client, ClientContext, ClientOptions } from "./client.ts";
import { SseClient } from "./sse-client.ts";
import { sequenceAt, stampedPayload, streamAt, timeUsAt } from "./stamp.ts";
import { DIALECTS } from "./target.ts";
import { WebSocketClient } from "./websocket-client.ts";

const RUNS = { numRuns: 25 };
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
const data = (sequence: number, bytes = 43): string =>
  stampedPayload({ stream: 7, sequence, timeUs: 1_234_567_890_123 }, bytes);

test("SSE client of load: events, gaps and the last id are the same however the stream is cut, chunked coding or not", async (context) => {
  const opening = ": ok\nretry: 1000\nid: #e.1\n\n";
  const events = [1, 2, 3].map(
    (number) => `id: #e.${number + 1}\ndata: ${data(number, 40 + number * 200)}\n\n`,
  );
  const gap = 'event: gap\ndata: {"topics":["/load/0"]}\n\n';
  const text = `${opening}${events.join("")}: heartbeat\n\n${gap}id: #e.9\ndata: ${data(4)}\n\n`;
  const head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n";
  const plain = `${head}Connection: close\r\n\r\n${text}`;
  const half = text.length >> 1;
  const sized = [text.slice(0, half), text.slice(half)].map(
    (part) => `${part.length.toString(16)}\r\n${part}\r\n`,
  );
  const chunked = `${head}Transfer-Encoding: chunked\r\n\r\n${sized.join("")}0\r\n\r\n`;
  const server = await serve(context);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(plain, chunked), cuts, fc.boolean(), async (answer, shares, keeps) => {
      const seen = await server.visit(SseClient, Buffer.from(answer), shares, keeps);
      assert.deepEqual(
        seen.heard,
        ["ready", "1", "2", "3", "4", "gap /load/0", "closed by the server"].toSorted(),
      );
      if (keeps) assert.deepEqual(seen.position, { transport: "sse", lastEventId: "#e.9" });
    }),
    RUNS,
  );
});

test("WebSocket client of load: batches, fragments and long frames are read the same however they are cut", async (context) => {
  const pub = (sequence: number, bytes = 43): string =>
    `{"push":{"channel":"/load/0","pub":{"data":${data(sequence, bytes)},"offset":${sequence}}}}`;
  const answer = Buffer.concat([
    Buffer.from("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
    frame('{"id":1,"connect":{"client":"c"}}'),
    frame('{"id":2,"subscribe":{"epoch":"e","offset":0}}'),
    frame(pub(1)),
    frame(`${pub(2, 300)}\n{}\n${pub(3)}`),
    frame("{}"),
    frame(pub(4).slice(0, 20), 0x01),
    frame("are you there", 0x89),
    frame(pub(4).slice(20), 0x80),
    frame(pub(5, 70_000)),
    frame('{"push":{"channel":"/load/0","unsubscribe":{"code":2500,"reason":"x"}}}'),
    frame("\x0b\xb8bye", 0x88),
  ]);
  const server = await serve(context);
  await fc.assert(
    fc.asyncProperty(cuts, async (shares) => {
      const seen = await server.visit(WebSocketClient, answer, shares);
      const heard = ["ready", "1", "2", "3", "4", "5", "gap /load/0", "close code 3000"];
      assert.deepEqual(seen.heard, heard.toSorted());
    }),
    RUNS,
  );
});

test("clients of load: what is no answer of such a server ends them, each with its reason", async (context) => {
  const server = await serve(context);
  const head = (status: string, type: string): Buffer =>
    Buffer.from(`HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\n\r\n`);
  for (const [kind, answer, why] of [
    [SseClient, head("403 Forbidden", "text/plain"), "HTTP status 403"],
    [SseClient, head("200 OK", "text/html"), "its answer is no event stream"],
    [SseClient, Buffer.from("SSH-2.0-x\r\n\r\n"), "it answers no HTTP"],
    [SseClient, Buffer.alloc(40_000, "a"), "its response has no end of head"],
    [WebSocketClient, head("200 OK", "text/html"), "HTTP status 200"],
    [
      WebSocketClient,
      Buffer.concat([
        head("101 Switching Protocols", "x"),
        frame('{"id":1,"error":{"code":109,"message":"token expired"}}'),
      ]),
      "error 109: token expired",
    ],
    [
      WebSocketClient,
      Buffer.concat([
        head("101 Switching Protocols", "x"),
        Buffer.from([0x81, 0x7f, 0, 1, 0, 0, 0, 0, 0, 0]),
      ]),
      "a frame is too long",
    ],
  ] as const)
    assert.deepEqual((await server.visit(kind, answer, [])).heard, [why]);
});

function frame(text: string, first = 0x81): Buffer {
  const payload = Buffer.from(text, first === 0x88 ? "latin1" : "utf8");
  const { length } = payload;
  if (length < 126) return Buffer.concat([Buffer.from([first, length]), payload]);
  const head = Buffer.alloc(length > 0xffff ? 10 : 4);
  head[0] = first;
  head[1] = length > 0xffff ? 127 : 126;
  if (length > 0xffff) head.writeBigUInt64BE(BigInt(length), 2);
  else head.writeUInt16BE(length, 2);
  return Buffer.concat([head, payload]);
}

/** A server that answers whoever comes with the bytes given, in pieces, and closes. */
async function serve(context: TestContext) {
  let pieces: readonly Buffer[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => writeAll(socket, pieces));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => server.close());
  const { port } = server.address() as AddressInfo;

  return {
    async visit(
      kind: new (context: ClientContext, options: ClientOptions) => Client,
      answer: Buffer,
      shares: readonly number[],
      keepsPosition = false,
    ) {
      const ends = [...shares.map((share) => Math.floor(share * answer.length)), answer.length];
      let from = 0;
      pieces = ends
        .toSorted((a, b) => a - b)
        .map((end) => {
          const piece = answer.subarray(from, end);
          from = end;
          return piece;
        });
      const heard: string[] = [];
      const over = Promise.withResolvers<void>();
      const sink = {
        connected: () => {},
        ready: () => void heard.push("ready"),
        delivered: (_client: Client, bytes: Buffer, mark: number) => {
          assert.equal(streamAt(bytes, mark), 7);
          assert.equal(timeUsAt(bytes, mark), 1_234_567_890_123);
          heard.push(String(sequenceAt(bytes, mark)));
        },
        gapTold: (_client: Client, topic: string | null) => void heard.push(`gap ${topic}`),
        ended: (_client: Client, why: string) => {
          heard.push(why);
          over.resolve();
        },
      };
      const target = {
        ...{ secure: false, host: "127.0.0.1", port, servername: "", ca: undefined },
        authority: `127.0.0.1:${port}`,
        dialect: DIALECTS.streamkeeper,
      };
      const client = new kind(
        { target, token: "t", buffer: Buffer.alloc(65_536), sink, nowUs: () => performance.now() * 1000 },
        {
          ...{ index: 0, topics: ["/load/0"], localAddress: undefined, from: null },
          ...{ keepsPosition, bytesPerSecond: null },
        },
      );
      client.open();
      await over.promise;
      // Gaps are told apart from events, not in their order: what came is compared as a set that counts.
      return { heard: heard.toSorted(), position: client.position };
    },
  };
}

function writeAll(socket: Socket, pieces: readonly Buffer[]): void {
  const [first, ...rest] = pieces;
  if (first === undefined) socket.end();
  else socket.write(first, () => setImmediate(() => writeAll(socket, rest)));
}
