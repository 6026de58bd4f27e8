/** WebSocket frames as a client sends them (RFC 6455, section 5.2): final and masked. */
export function maskedFrame(payload: Uint8Array, opcode: Opcode): Buffer {
  const { length } = payload;
  if (length > 0xffff) throw new RangeError(`a command of ${length} bytes`);
  const isShort = length < 126;
  const head = isShort ? 2 : 4;
  const frame = Buffer.alloc(head + 4 + length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | (isShort ? length : 126);
  if (!isShort) frame.writeUInt16BE(length, 2);
  // A fixed key: masking guards proxies from what scripts in browsers choose, and there are none here.
  frame.set(KEY, head);
  for (let at = 0; at < length; at++)
    frame[head + 4 + at] = (payload[at] as number) ^ (KEY[at & 3] as number);
  return frame;
}

export const Opcode = { continuation: 0, text: 1, close: 8, ping: 9, pong: 10 } as const;
export type Opcode = (typeof Opcode)[keyof typeof Opcode];

const KEY = Buffer.from([0x5b, 0x17, 0xc4, 0x92]);
