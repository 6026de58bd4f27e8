import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { WebSocket } from "ws";
import { encodeTextFrame, payloadOf } from "#protocol/websocket-frame.ts";
import { until } from "../../test/helpers/feed-server.ts";
import { Opcode } from "../../test/helpers/websocket-listener.ts";
import { endsWith, type Stage, stage } from "../../test/helpers/websocket-stage.ts";
import { Deflater, isAgreeable } from "./websocket-deflate.ts";

const SETTINGS = { thresholdBytes: 512, windowBits: 12, memLevel: 5, inflationsMax: 4 };
const OFFER = { "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits" };
const LONG = JSON.stringify({ text: "to and fro ".repeat(500) });

/** A real client that offers compression, subscribed to `/public/x`. */
async function subscribed(on: Stage, offer: object): Promise<{ socket: WebSocket; heard: string[] }> {
  const socket = new WebSocket(on.listener.url, "centrifuge-json", { perMessageDeflate: offer as never });
  const heard: string[] = [];
  socket.on("message", (message) => heard.push(...String(message).split("\n")));
  await once(socket, "open");
  socket.send('{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"/public/x"}}');
  await until("the subscription", () => heard.some((line) => line.includes('"subscribe"')));
  return { socket, heard };
}

test("compression: clients that offer it get long events compressed, once for all, and read what others read", async () => {
  await using on = await stage({ compression: SETTINGS });
  const clients = await Promise.all([
    subscribed(on, {}),
    subscribed(on, { serverMaxWindowBits: 15 }),
    subscribed(on, { serverMaxWindowBits: 9 }),
    subscribed(on, false as never),
  ]);
  assert.deepEqual(
    clients.map(({ socket }) => socket.extensions),
    ["permessage-deflate", "permessage-deflate", "", ""],
    "a client that wants a smaller window goes without",
  );
  const before = on.desk.counters.bytesWritten;
  on.desk.hub.publish({ topics: ["/public/x"], data: LONG });
  on.desk.hub.publish({ topics: ["/public/x"], data: '{"short":true}' });
  await until("both", () => clients.every(({ heard }) => heard.some((line) => line.includes("short"))));
  for (const { heard } of clients) assert.ok(heard.some((line) => line.includes("to and fro to and fro")));
  const written = on.desk.counters.bytesWritten - before;
  assert.ok(written > 2 * LONG.length && written < 2.3 * LONG.length, `two of four in full: ${written}`);
  for (const { socket } of clients) socket.close();
});

test("compression: a command that comes compressed is obeyed", async () => {
  await using on = await stage({ compression: SETTINGS });
  const client = await on.dial(OFFER);
  assert.match(client.head, /permessage-deflate; server_no_context_takeover; client_no_context_takeover/i);
  client.frame(Opcode.text, deflateRawSync('{"id":1,"connect":{}}'), { reserved: 4 });
  assert.equal((await client.heard()).id, 1);
});

test("attack: a message that inflates beyond limits.requestBytes ends its sender, and is not inflated further", async () => {
  await using on = await stage({ compression: SETTINGS });
  const client = await on.dial(OFFER);
  const bomb = deflateRawSync(Buffer.alloc(64 * 1024 * 1024));
  assert.ok(bomb.length < 70_000);
  client.frame(Opcode.text, bomb, { reserved: 4 });
  await endsWith(on, client, 1009, "message_too_large");
});

test("attack: a compressed message that is damaged, or was not agreed to, ends its sender", async () => {
  await using on = await stage({ compression: SETTINGS });
  const damaged = await on.dial(OFFER);
  damaged.frame(Opcode.text, Buffer.from("not deflated at all, surely"), { reserved: 4 });
  assert.equal((await damaged.ended())?.code, 1007);
  const plain = await on.dial();
  plain.frame(Opcode.text, deflateRawSync("{}"), { reserved: 4 });
  assert.equal((await plain.ended())?.code, 1002);
  await until("both ends", () => on.ends()["websocket:bad_request"] === 2);
});

test("deflater: a frame is compressed once while it is kept, what would grow is left, and what is kept is bounded", () => {
  const deflater = new Deflater(SETTINGS);
  const frame = encodeTextFrame(LONG);
  const deflated = deflater.deflated(frame);
  assert.equal(deflater.deflated(frame), deflated);
  assert.equal(deflated[0], 0xc1);
  const payload = Buffer.concat([payloadOf(deflated), Buffer.from([0, 0, 0xff, 0xff])]);
  assert.equal(inflateRawSync(payload, { finishFlush: 2 }).toString(), LONG);
  const short = encodeTextFrame("short");
  assert.equal(deflater.deflated(short), short);
  const random = encodeTextFrame(
    Array.from({ length: 600 }, (_, i) => String.fromCharCode(33 + ((i * i * 31 + i * 7) % 90))).join(""),
  );
  assert.ok(deflater.deflated(random).length <= random.length);
  for (let index = 0; index < 40; index++)
    deflater.deflated(encodeTextFrame(`${index}${"x".repeat(60_000)}`));
  assert.notEqual(deflater.deflated(frame), deflated, "it was let go");
});

test("compression: an offer is agreeable unless it wants a smaller window of the server", () => {
  const agreeable = (offer: string) => isAgreeable(offer, SETTINGS);
  assert.ok(agreeable("permessage-deflate; client_max_window_bits=9"));
  assert.ok(agreeable('permessage-deflate; server_max_window_bits="12"'));
  assert.ok(!agreeable("permessage-deflate; server_max_window_bits=11, permessage-deflate"));
});
