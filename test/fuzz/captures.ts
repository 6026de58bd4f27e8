import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** What real clients, a real feed and the gateway said to each other: `npm run fuzz:record` writes it. */
const FOLDER = fileURLToPath(new URL("../fixtures/captures/", import.meta.url));

export type Side = "client" | "server";

/** The recorded bytes of one side of each session whose name begins so. @throws when there are none */
export function captures(session: string, side: Side): Buffer[] {
  const files = readdirSync(FOLDER).filter(
    (file) => file.startsWith(session) && file.endsWith(`.${side}.bin`),
  );
  if (files.length === 0) throw new Error(`no capture of ${session}, ${side}: npm run fuzz:record`);
  return files.map((file) => readFileSync(FOLDER + file));
}

/** Where a session's bytes are kept. */
export function captureFile(session: string, side: Side): string {
  return `${FOLDER}${session}.${side}.bin`;
}

/** A message's head and body, of a recorded one. */
export function headAndBody(message: Buffer): { head: Buffer; body: Buffer } {
  const end = message.indexOf("\r\n\r\n") + 4;
  return { head: message.subarray(0, end), body: message.subarray(end) };
}

/** The payloads of recorded WebSocket text frames behind the handshake, unmasked. */
export function framePayloads(stream: Buffer): Buffer[] {
  const { body } = headAndBody(stream);
  const payloads: Buffer[] = [];
  for (let at = 0; at + 2 <= body.length; ) {
    const short = (body[at + 1] as number) & 0x7f;
    const isMasked = ((body[at + 1] as number) & 0x80) !== 0;
    let from = at + 2;
    let length = short;
    if (short === 126) {
      length = body.readUInt16BE(from);
      from += 2;
    }
    const key = isMasked ? body.subarray(from, from + 4) : Buffer.alloc(4);
    if (isMasked) from += 4;
    payloads.push(
      body.subarray(from, from + length).map((byte, index) => byte ^ (key[index & 3] as number)) as Buffer,
    );
    at = from + length;
  }
  return payloads.map((payload) => Buffer.from(payload));
}
