import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Machine } from "./machine.ts";

export type Wire = "sse" | "websocket";

/** What a client sends: its request, and what follows once the response's head has come. */
export interface Greeting {
  readonly hello: string;
  readonly after: Buffer;
}

/** A GET for a stream, or with an upgrade to WebSocket by RFC 6455's own example key, whose answer is known. */
export function requestOf(wire: Wire, path: string, headers: readonly string[] = []): string {
  const upgrade = ["Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Key: ${EXAMPLE_KEY}`];
  const fields = wire === "sse" ? ["Accept: text/event-stream"] : [...upgrade, "Sec-WebSocket-Version: 13"];
  return [`GET ${path} HTTP/1.1`, "Host: 127.0.0.1", ...fields, ...headers, "", ""].join("\r\n");
}

const EXAMPLE_KEY = "dGhlIHNhbXBsZSBub25jZQ==";

/** A client's text frame, at most 65,535 bytes. Masked by zeros, so that it can be read in a trace. */
export function maskedTextFrame(text: string): Buffer {
  const payload = Buffer.from(text);
  const head = Buffer.alloc(8);
  head[0] = 0x81;
  if (payload.length < 126) {
    head[1] = 0x80 | payload.length;
    return Buffer.concat([head.subarray(0, 6), payload]);
  }
  head[1] = 0x80 | 126;
  head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}

/** Writes the load client's record file. Answers its path. */
export function writeRecords(machine: Machine, name: string, greetings: readonly Greeting[]): string {
  const file = join(machine.folder, `${name}.records`);
  const pieces = greetings.flatMap(({ hello, after }) => [sized(Buffer.from(hello)), sized(after)]);
  writeFileSync(file, Buffer.concat(pieces));
  return file;
}

function sized(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes]);
}
