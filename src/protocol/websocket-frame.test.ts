import assert from "node:assert/strict";
import { test } from "node:test";
import { encodePassingFrameOf, encodeTextFrame, payloadOf } from "./websocket-frame.ts";

test("text frame: the example of RFC 6455, section 5.7, byte for byte", () => {
  assert.deepEqual(encodeTextFrame("Hello"), Buffer.from([0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f]));
});

test("text frame: lengths on both sides of each header size are told in the shortest form", () => {
  const header = (bytes: number) => encodeTextFrame("x".repeat(bytes)).subarray(0, -bytes).toString("hex");
  assert.equal(header(125), "817d");
  assert.equal(header(126), "817e007e");
  assert.equal(header(65535), "817effff");
  assert.equal(header(65536), "817f0000000000010000");
});

test("text frame: lengths count bytes, not characters", () => {
  const frame = encodeTextFrame("€".repeat(42));
  assert.equal(frame[1], 126);
  assert.equal(frame.readUInt16BE(2), 126);
});

test("text frame: pieces make the same frame as the whole", () => {
  const whole = encodeTextFrame("ab€".repeat(40));
  const pieces = ["ab€".repeat(13), "", "ab€".repeat(27)].map((piece) => Buffer.from(piece));
  assert.deepEqual(encodePassingFrameOf(pieces), whole);
});

test("text frame: its payload is found behind each header size", () => {
  for (const bytes of [0, 125, 126, 65535, 65536]) {
    assert.equal(payloadOf(encodeTextFrame("y".repeat(bytes))).toString(), "y".repeat(bytes));
  }
});
