import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CentrifugeError } from "./centrifuge-codes.ts";
import { COMMANDS_PER_MESSAGE_MAX, type Command, parseCommands } from "./centrifuge-command.ts";
import { rawMember } from "./centrifuge-raw.ts";

const one = (command: object): Command => {
  const commands = parseCommands(JSON.stringify(command));
  assert.equal(commands.length, 1);
  return commands[0] as Command;
};
const kinds = (message: string) => parseCommands(message).map((command) => command.kind);

test("commands: several in one message come out in order", () => {
  assert.deepEqual(
    kinds(
      '{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"/a"}}\r\n\n{"id":3,"unsubscribe":{"channel":"/a"}}\n',
    ),
    ["connect", "subscribe", "unsubscribe"],
  );
});

test("commands: connect carries token and data", () => {
  const data = { login: "ann", password: "x" };
  assert.deepEqual(one({ id: 1, connect: { token: "t", data, name: "js", flag: 1, profile: "p" } }), {
    kind: "connect",
    id: 1,
    token: "t",
    data,
  });
  assert.deepEqual(one({ id: 1, connect: {} }), { kind: "connect", id: 1, token: "", data: undefined });
});

test("commands: a position counts only where the client resumes", () => {
  const fields = { channel: "/a", epoch: "e", offset: 9007199254740991 };
  const resumes = one({ id: 2, subscribe: { ...fields, recover: true } });
  assert.deepEqual(resumes, {
    kind: "subscribe",
    id: 2,
    channel: "/a",
    since: { epoch: "e", offset: 9007199254740991 },
    rejectUnrecovered: false,
  });
  const starts = one({ id: 2, subscribe: fields });
  assert.ok(starts.kind === "subscribe" && starts.since === null);
});

test("commands: flag 2 asks for an error where there is no recovery", () => {
  const command = one({ id: 2, subscribe: { channel: "/a", flag: 3 } });
  assert.ok(command.kind === "subscribe" && command.rejectUnrecovered);
});

test("commands: history defaults to the position alone", () => {
  assert.deepEqual(one({ id: 3, history: { channel: "/a" } }), {
    kind: "history",
    id: 3,
    channel: "/a",
    limit: 0,
    since: null,
    reverse: false,
  });
});

test("commands: published data keeps its digits and its spelling", () => {
  const commands = parseCommands(
    '{"id":1,"publish":{"data": {"n":1.10,"big":9007199254740993, "s":"a\\"}" } ,"channel":"/a"}}',
  );
  assert.deepEqual(commands, [
    { kind: "publish", id: 1, channel: "/a", data: '{"n":1.10,"big":9007199254740993, "s":"a\\"}" }' },
  ]);
});

test("commands: null is absence", () => {
  assert.equal(
    one({ id: 1, connect: null, subscribe: { channel: "/a", epoch: null, offset: null } }).kind,
    "subscribe",
  );
});

test("commands: an empty object is a pong", () => {
  assert.equal(one({}).kind, "pong");
});

test("commands: send needs no id", () => {
  assert.equal(one({ send: { data: 1 } }).kind, "send");
});

test("commands: what this gateway does not offer is declined by its id", () => {
  const decline = (error: CentrifugeError) => ({ kind: "declined", id: 4, error });
  assert.deepEqual(one({ id: 4, rpc: { method: "x" } }), decline(CentrifugeError.not_available));
  assert.deepEqual(one({ id: 4, ping: {} }), decline(CentrifugeError.not_available));
  assert.deepEqual(
    one({ id: 4, sub_refresh: { channel: "/a", token: "t" } }),
    decline(CentrifugeError.not_available),
  );
  assert.deepEqual(
    one({ id: 4, subscribe: { channel: "/a", type: 1 } }),
    decline(CentrifugeError.not_available),
  );
  assert.deepEqual(
    one({ id: 4, publish: { channel: "/a", type: 1, key: "k" } }),
    decline(CentrifugeError.not_available),
  );
  assert.deepEqual(
    one({ id: 4, subscribe: { channel: "/a", tf: {} } }),
    decline(CentrifugeError.bad_request),
  );
  assert.deepEqual(one({ id: 4, publish: { channel: "/a" } }), decline(CentrifugeError.bad_request));
  assert.deepEqual(one({ id: 4, teleport: {} }), decline(CentrifugeError.method_not_found));
});

test("commands: what breaks the protocol ends the list, after what stands before it", () => {
  assert.deepEqual(kinds('{"id":1,"connect":{}}\n{oops\n{"id":2,"rpc":{}}'), ["connect", "malformed"]);
});

for (const [what, message] of Object.entries({
  "an empty message": "",
  "blank lines": " \n\r\n\t",
  "not JSON": "hello",
  "a bare string": '"connect"',
  "an array": '[{"id":1,"connect":{}}]',
  "a method without an id": '{"connect":{}}',
  "a negative id": '{"id":-1,"connect":{}}',
  "an id beyond uint32": '{"id":4294967296,"connect":{}}',
  "a fractional id": '{"id":1.5,"connect":{}}',
  "an id as text": '{"id":"1","connect":{}}',
  "a method that is no object": '{"id":1,"subscribe":"/a"}',
  "a method that is an array": '{"id":1,"subscribe":["/a"]}',
  "a channel that is no string": '{"id":1,"subscribe":{"channel":7}}',
  "no channel": '{"id":1,"subscribe":{}}',
  "an offset below zero": '{"id":1,"subscribe":{"channel":"/a","recover":true,"offset":-1}}',
  "an offset beyond 2^53": '{"id":1,"subscribe":{"channel":"/a","recover":true,"offset":9007199254740992}}',
  "recover as a number": '{"id":1,"subscribe":{"channel":"/a","recover":1}}',
  "a token that is no string": '{"id":1,"connect":{"token":{}}}',
  "a refresh without a token": '{"id":1,"refresh":{}}',
  "since that is no object": '{"id":1,"history":{"channel":"/a","since":5}}',
  "brackets without end": "[".repeat(60_000),
})) {
  test(`commands: ${what} is malformed`, () => assert.deepEqual(kinds(message), ["malformed"]));
}

test("commands: more of them than the bound end as malformed", () => {
  const commands = parseCommands("{}\n".repeat(COMMANDS_PER_MESSAGE_MAX + 5));
  assert.equal(commands.length, COMMANDS_PER_MESSAGE_MAX + 1);
  assert.equal(commands.at(-1)?.kind, "malformed");
});

test("commands: a fault's words repeat nothing of the message", () => {
  const [fault] = parseCommands('{"id":1,"connect":{"token":["secret"]}}');
  assert.ok(fault?.kind === "malformed" && !fault.detail.includes("secret"));
});

test("commands: no text makes the parser throw", () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (message) => void parseCommands(message)));
});

test("raw member: deep nesting costs no stack", () => {
  const data = `${"[".repeat(30_000)}${"]".repeat(30_000)}`;
  assert.equal(rawMember(`{"publish":{"data":${data}}}`, ["publish", "data"]), data);
});

test("raw member: of equal names the last counts, however it is spelt", () => {
  assert.equal(rawMember('{"a":{"b":1},"a":{"b":2,"\\u0062":[3]}}', ["a", "b"]), "[3]");
});

test("raw member: agrees with JSON.parse on any value", () => {
  fc.assert(
    fc.property(fc.json(), fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(8), (data, others, indent) => {
      const rest = JSON.stringify({ ...others, publish: undefined }, null, indent).slice(1);
      const text = `{ "publish" : {"channel":"/a", "data" :${data}}${rest.trim() === "}" ? "}" : `,${rest}`}`;
      const parsed = JSON.parse(text) as { publish: { data: unknown } };
      assert.deepEqual(JSON.parse(rawMember(text, ["publish", "data"]) ?? "!"), parsed.publish.data);
    }),
  );
});

test("raw member: a missing member is null", () => {
  assert.equal(rawMember('{"publish":{}}', ["publish", "data"]), null);
  assert.equal(rawMember('{"publish":"data"}', ["publish", "data"]), null);
});
