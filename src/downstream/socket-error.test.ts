import assert from "node:assert/strict";
import { test } from "node:test";
import { reasonOfSocketError } from "./socket-error.ts";

test("socket error: each code has its reason, and what is not known is a write error", () => {
  const reasonOf = (code: string) => reasonOfSocketError(Object.assign(new Error("x"), { code }));
  assert.equal(reasonOf("ECONNRESET"), "connection_reset");
  assert.equal(reasonOf("ERR_HTTP2_STREAM_ERROR"), "connection_reset");
  assert.equal(reasonOf("http2_silent"), "timed_out");
  assert.equal(reasonOf("http2_flood"), "too_many_requests");
  assert.equal(reasonOf("ENOSPC"), "write_error");
});
