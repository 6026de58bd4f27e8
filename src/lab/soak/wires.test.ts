import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodePublicationPush, encodeReply } from "#protocol/centrifuge-encode.ts";
import { encodeSseEvent } from "#protocol/sse-encode.ts";
import { type Hearing, SseWire } from "./sse-wire.ts";
import { WebSocketWire } from "./websocket-wire.ts";

function hearing() {
  const heard: string[] = [];
  return {
    heard,
    letIn: () => void heard.push("in"),
    notLetIn: (why: string) => void heard.push(`not in: ${why}`),
    told: () => void heard.push("told"),
    event: (number: number) => void heard.push(String(number)),
    pinged: () => void heard.push("ping"),
    resubscribe: () => void heard.push("again"),
    closed: (code: number) => void heard.push(`closed ${code}`),
  } satisfies Hearing & Record<string, unknown>;
}

const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nMercure-Last-Event-ID: #e.1\r\n\r\n";

function stream(numbers: readonly number[]): string {
  const event = (seq: number) =>
    encodeSseEvent({ id: `#e.${seq}`, type: "", data: `{"seq":${seq}}`, retryMs: null }).toString();
  return `${HEAD}: ok\nretry: 1\nid: #e.0\n\n${numbers.map(event).join("")}`;
}

/** Cuts bytes at the places that chance gives. */
function cuts(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, index) => bytes.subarray(from, at[index] ?? bytes.length));
}

test("SSE wire: numbers come out in order, however the stream is cut", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 1e9 })), fc.array(fc.nat(5000)), (numbers, places) => {
      const ears = hearing();
      const wire = new SseWire(ears, "");
      for (const part of cuts(Buffer.from(stream(numbers)), places)) wire.push(part.toString("latin1"));
      assert.deepEqual(ears.heard, ["in", ...numbers.map(String)]);
      assert.equal(wire.lastEventId, `#e.${numbers.at(-1) ?? 0}`);
    }),
  );
});

test("SSE wire: a resume that was not exact is told, as is a gap; one that was is not", () => {
  const exact = hearing();
  new SseWire(exact, "#e.1").push(stream([2]));
  assert.deepEqual(exact.heard, ["in", "2"]);
  const other = hearing();
  new SseWire(other, "#f.9").push(`${stream([2])}event: gap\ndata: {"topic":"/quotes/A"}\n\n`);
  assert.deepEqual(other.heard, ["told", "in", "2", "told"]);
});

test("SSE wire: a refusal is told by its status, or by its code where it is a stream", () => {
  const denied = hearing();
  new SseWire(denied, "").push("HTTP/1.1 401 Unauthorized\r\nContent-Type: text/plain\r\n\r\n");
  const sentAway = hearing();
  new SseWire(sentAway, "").push(`${HEAD}: draining: come back later\n\nretry: 5\n\n`);
  assert.deepEqual([denied.heard, sentAway.heard], [["not in: 401"], ["not in: draining"]]);
});

test("WebSocket wire: numbers come out in order, however the frames are cut", () => {
  const frames = (offsets: readonly number[]) =>
    Buffer.concat([
      Buffer.from("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
      encodeReply(1, "connect", { client: "c" }),
      encodeReply(2, "subscribe", { epoch: "e", offset: 3 }),
      ...offsets.map((offset) =>
        encodePublicationPush("/quotes/A", {
          offset,
          data: `{"seq":${offset},"x":"${"y".repeat(offset % 300)}"}`,
          type: "",
          timeMs: 1,
        }),
      ),
    ]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 4, max: 1e9 })), fc.array(fc.nat(9000)), (offsets, places) => {
      const ears = hearing();
      const wire = new WebSocketWire(ears, null);
      for (const part of cuts(frames(offsets), places)) wire.push(part);
      assert.deepEqual(ears.heard, ["in", ...offsets.map(String)]);
      assert.deepEqual([wire.epoch, wire.offset], ["e", offsets.at(-1) ?? 3]);
    }),
  );
});

test("WebSocket wire: what was recovered counts one by one; what could not be is told; codes from 2500 subscribe again", () => {
  const ears = hearing();
  const wire = new WebSocketWire(ears, { epoch: "e", sequence: 3 });
  const at: number[] = [];
  ears.event = (number) => void at.push(number, wire.offset);
  wire.push(Buffer.from("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
  const publications = [4, 5].map((offset) => ({ offset, data: { seq: offset } }));
  wire.push(encodeReply(2, "subscribe", { epoch: "e", offset: 5, recovered: true, publications }));
  assert.deepEqual(at, [4, 4, 5, 5]);
  wire.push(
    Buffer.from(
      '\x81\x2f{"push":{"channel":"c","unsubscribe":{"code":2500}}}'.replace("\x2f", "\x34"),
      "latin1",
    ),
  );
  wire.expectRecovery();
  wire.push(encodeReply(3, "subscribe", { epoch: "f", offset: 0 }));
  wire.push(Buffer.from([0x88, 2, 0x0b, 0xb9]));
  assert.deepEqual(ears.heard, ["in", "again", "told", "in", "closed 3001"]);
});
