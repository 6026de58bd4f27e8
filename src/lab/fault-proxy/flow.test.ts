import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Flow } from "./flow.ts";
import type { MarkedFault } from "./script.ts";

const HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

describe("fault flow", () => {
  for (const [name, fault, passed] of [
    ["at once", { do: "reset" }, ""],
    ["after bytes", { do: "reset", at: { bytes: 20 } }, HEAD.slice(0, 20)],
    ["after the head", { do: "silence", at: { events: 0 } }, HEAD],
    ["after an event", { do: "truncate", at: { events: 1 } }, `${HEAD}c\r\n:\n\ndata: a\n\n`],
    [
      "inside an event",
      { do: "reset", at: { events: 1, inside: "event" } },
      `${HEAD}c\r\n:\n\ndata: a\n\n\r\n1c\r\nid: 2\ndata: {"`,
    ],
    [
      "inside a character",
      { do: "reset", at: { events: 1, inside: "character" } },
      `${HEAD}c\r\n:\n\ndata: a\n\n\r\n1c\r\nid: 2\ndata: {"\u00c3`,
    ],
  ] as const satisfies [string, MarkedFault, string][]) {
    test(`fault flow: a fault ${name} lets pass what comes before, however it is cut`, () => {
      const stream = Buffer.from(
        `${HEAD}c\r\n:\n\ndata: a\n\n\r\n1c\r\nid: 2\ndata: {"\u00e9":1}\nevent: x\n\n\r\n`,
      );
      for (const size of [1, 2, 5, stream.length]) {
        const played = play(new Flow([fault]), chunks(stream, size));
        assert.equal(played.passed.toString("latin1"), passed, `in chunks of ${size}`);
        assert.deepEqual(played.acts, [fault.do]);
      }
    });
  }

  test("fault flow: lines ended by CRLF, comments and blocks without data count right", () => {
    const stream = Buffer.from(
      `${HEAD}:\r\n\r\nid: 1\r\n\r\ndata: a\r\ndata: b\r\n\r\ndata\r\n\r\ndata: c\r\n\r\n`,
    );
    const { passed } = play(new Flow([{ do: "reset", at: { events: 2 } }]), chunks(stream, 3));
    assert.ok(passed.toString().endsWith("data\r\n\r\n"));
  });

  test("fault flow: spoilt bytes are those after the mark, across chunks, and the rest goes on", () => {
    const flow = new Flow([
      { do: "corrupt", at: { bytes: 2 }, bytes: 3, mask: 0x20 },
      { do: "corrupt", at: { bytes: 7 }, mask: 0x20 },
    ]);
    const { passed, acts } = play(flow, chunks(Buffer.from("abcdefghij"), 4));
    assert.equal(passed.toString(), "abCDEfgHij");
    assert.deepEqual(acts, ["corrupt", "corrupt"]);
  });

  test("fault flow: the earliest of several ends holds, and later faults are done at their own place", () => {
    const flow = new Flow([
      { do: "reset", at: { bytes: 8 } },
      { do: "silence", at: { bytes: 4 } },
    ]);
    assert.deepEqual(play(flow, [Buffer.from("abcdefghij")]), {
      passed: Buffer.from("abcd"),
      acts: ["silence"],
    });
    assert.equal(flow.ended, true);
  });

  test("fault flow: a fault that is added counts from there, in a body that is under way", () => {
    const flow = new Flow([]);
    play(flow, [Buffer.from(`${HEAD}data: a\n\ndata: b\n\n`)]);
    flow.add({ do: "reset", at: { events: 1 } });
    assert.deepEqual(play(flow, [Buffer.from("data: c\n\ndata: d\n\n")]), {
      passed: Buffer.from("data: c\n\n"),
      acts: ["reset"],
    });
    const other = new Flow([]);
    play(other, [Buffer.from("x")]);
    other.add({ do: "silence" });
    assert.deepEqual(play(other, [Buffer.alloc(0)]).acts, ["silence"]);
  });

  test("fault flow: where chunks are cut changes nothing", () => {
    const text = `${HEAD}:\n\n${'id: 1\ndata: {"n":1,"caf\u00e9":2}\n\n\r\n2f\r\n'.repeat(5)}`;
    const stream = Buffer.from(text);
    const mark = fc.oneof(
      fc.record({ bytes: fc.nat(stream.length) }),
      fc.record({ events: fc.nat(6) }),
      fc.record({ events: fc.nat(5), inside: fc.constantFrom("event" as const, "character" as const) }),
    );
    fc.assert(
      fc.property(mark, fc.integer({ min: 1, max: 60 }), (at, size) => {
        const fault: MarkedFault = { do: "reset", at };
        assert.deepEqual(play(new Flow([fault]), chunks(stream, size)), play(new Flow([fault]), [stream]));
      }),
    );
  });
});

function play(flow: Flow, input: readonly Uint8Array[]): { passed: Buffer; acts: string[] } {
  const passed: Uint8Array[] = [];
  const acts: string[] = [];
  for (const chunk of input) {
    for (const act of flow.push(chunk)) {
      if (act.do === "forward") passed.push(act.bytes);
      else acts.push(act.do);
    }
  }
  return { passed: Buffer.concat(passed), acts };
}

function chunks(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  );
}
