import { test } from "node:test";
import { CloseReason } from "#protocol/close-reason.ts";
import { Opcode, type RawWebSocket } from "../../test/helpers/websocket-listener.ts";
import { endsWith, stage } from "../../test/helpers/websocket-stage.ts";

const text = Opcode.text;
for (const [what, attack, code, reason] of [
  [
    "a binary message",
    (client) => client.frame(Opcode.binary, Buffer.from("{}")),
    3506,
    CloseReason.inappropriate_protocol,
  ],
  [
    "a message that is no JSON",
    (client) => client.frame(text, Buffer.from("hello")),
    3501,
    CloseReason.bad_request,
  ],
  ["an empty message", (client) => client.frame(text, Buffer.alloc(0)), 3501, CloseReason.bad_request],
  [
    "a command before connect",
    (client) => client.say({ id: 1, history: { channel: "/a" } }),
    3501,
    CloseReason.bad_request,
  ],
  ["a pong out of the blue", (client) => client.say({}), 3501, CloseReason.bad_request],
  [
    "a message over limits.requestBytes",
    (client) => client.frame(text, Buffer.alloc(2049, " ")),
    1009,
    CloseReason.message_too_large,
  ],
  [
    "fragments that add up to more than limits.requestBytes",
    (client) => {
      client.frame(text, Buffer.alloc(1500, " "), { final: false });
      client.frame(Opcode.continuation, Buffer.alloc(1500, " "), { final: false });
    },
    1009,
    CloseReason.message_too_large,
  ],
  [
    "a frame that claims to be of 2^62 bytes",
    (client) => client.socket.write(Buffer.from("81ff400000000000000000000000", "hex")),
    1009,
    CloseReason.message_too_large,
  ],
  [
    "text that is no UTF-8",
    (client) => client.frame(text, Buffer.from([0xc3, 0x28])),
    1007,
    CloseReason.bad_request,
  ],
  [
    "a frame without a mask",
    (client) => client.frame(text, Buffer.from("{}"), { masked: false }),
    1002,
    CloseReason.bad_request,
  ],
  [
    "a frame with reserved bits",
    (client) => client.frame(text, Buffer.from("{}"), { reserved: 4 }),
    1002,
    CloseReason.bad_request,
  ],
  ["an unknown opcode", (client) => client.frame(3, Buffer.from("{}")), 1002, CloseReason.bad_request],
  [
    "a continuation of nothing",
    (client) => client.frame(Opcode.continuation, Buffer.from("{}")),
    1002,
    CloseReason.bad_request,
  ],
  [
    "a ping of 126 bytes",
    (client) => client.frame(Opcode.ping, Buffer.alloc(126)),
    1002,
    CloseReason.bad_request,
  ],
  ["a close frame with a reserved code", (client) => client.close(1006), 1002, CloseReason.bad_request],
  [
    "a close frame of one byte",
    (client) => client.frame(Opcode.close, Buffer.from([3])),
    1002,
    CloseReason.bad_request,
  ],
  [
    "a close frame with a code and a reason",
    (client) => client.close(1001, "bye"),
    1001,
    CloseReason.client_closed,
  ],
  [
    "a close frame without a code",
    (client) => client.frame(Opcode.close, Buffer.alloc(0)),
    1000,
    CloseReason.client_closed,
  ],
  ["a FIN without a close frame", (client) => client.socket.end(), null, CloseReason.client_closed],
] as [string, (client: RawWebSocket) => void, number | null, CloseReason][]) {
  test(`connection: ${what} ends it as ${reason}`, async () => {
    await using on = await stage({ limits: { requestBytes: 2048 } });
    const client = await on.dial();
    attack(client);
    await endsWith(on, client, code, reason);
  });
}
