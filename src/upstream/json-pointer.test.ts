import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { compileJsonPointer } from "./json-pointer.ts";

// RFC 6901, section 5.
const DOCUMENT = {
  foo: ["bar", "baz"],
  "": 0,
  "a/b": 1,
  "c%d": 2,
  "e^f": 3,
  "g|h": 4,
  "i\\j": 5,
  'k"l': 6,
  " ": 7,
  "m~n": 8,
};

describe("json pointer", () => {
  for (const [pointer, expected] of [
    ["", DOCUMENT],
    ["/foo", ["bar", "baz"]],
    ["/foo/0", "bar"],
    ["/", 0],
    ["/a~1b", 1],
    ["/c%d", 2],
    ["/e^f", 3],
    ["/g|h", 4],
    ["/i\\j", 5],
    ['/k"l', 6],
    ["/ ", 7],
    ["/m~0n", 8],
    ["/foo/2", undefined],
    ["/foo/01", undefined],
    ["/foo/-", undefined],
    ["/foo/length", undefined],
    ["/foo/0/0", undefined],
    ["/none/0", undefined],
    ["/constructor", undefined],
    ["/__proto__/toString", undefined],
  ] as const) {
    test(`json pointer: ${JSON.stringify(pointer)} points at ${JSON.stringify(expected)}`, () => {
      assert.deepEqual(compileJsonPointer(pointer)(DOCUMENT), expected);
    });
  }

  test("json pointer: what is none is refused", () => {
    for (const text of ["foo", "/a~2", "/a~", "#/foo"]) {
      assert.throws(() => compileJsonPointer(text), { code: "json_pointer_invalid" });
    }
  });
});
