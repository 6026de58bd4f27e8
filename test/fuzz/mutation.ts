import fc from "fast-check";

/** Most bytes of a fuzzed input. */
const INPUT_BYTES_MAX = 64 * 1024;

/** Real bytes with a few things done to them: shrinking undoes them one by one. */
export function mutated(captures: readonly Buffer[]): fc.Arbitrary<Buffer> {
  return fc
    .tuple(fc.nat(captures.length - 1), fc.array(edit(captures), { maxLength: 8 }))
    .map(([chosen, edits]) => {
      let bytes = captures[chosen] as Buffer;
      for (const apply of edits) bytes = apply(bytes).subarray(0, INPUT_BYTES_MAX);
      return bytes;
    });
}

/** Where an input is cut into chunks: at shares of its length, or behind every byte. */
export type Cuts = readonly number[] | "each";

export const cuts: fc.Arbitrary<Cuts> = fc.oneof(
  { weight: 2, arbitrary: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }) },
  // Of two bytes that belong together, a few random cuts of a long input hardly ever part any.
  { weight: 1, arbitrary: fc.constant("each" as const) },
);

/** `bytes` in chunks, none of them lost. */
export function chunksOf(bytes: Buffer, at: Cuts): Buffer[] {
  const ends =
    at === "each"
      ? Array.from({ length: Math.min(bytes.length, SINGLE_BYTES_MAX) }, (_, index) => index + 1)
      : at.map((share) => Math.floor(share * bytes.length)).toSorted((a, b) => a - b);
  let from = 0;
  return [...ends, bytes.length].map((end) => {
    const chunk = bytes.subarray(from, end);
    from = end;
    return chunk;
  });
}

/** Bytes of an input that may come one by one; the rest comes at once. */
const SINGLE_BYTES_MAX = 1500;

type Edit = (bytes: Buffer) => Buffer;

function edit(captures: readonly Buffer[]): fc.Arbitrary<Edit> {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const place = (bytes: Buffer, at: number): number => Math.floor(at * bytes.length);
  const flip = fc.tuple(share, fc.nat(7)).map(([at, bit]): Edit => {
    return (bytes) => {
      const copy = Buffer.from(bytes);
      const index = Math.min(copy.length - 1, place(copy, at));
      if (index >= 0) copy[index] = (copy[index] as number) ^ (1 << bit);
      return copy;
    };
  });
  const cut = fc.tuple(share, share).map(([from, length]): Edit => {
    return (bytes) => {
      const start = place(bytes, from);
      // Short cuts are the telling ones.
      return Buffer.concat([
        bytes.subarray(0, start),
        bytes.subarray(start + Math.ceil(length ** 4 * bytes.length)),
      ]);
    };
  });
  const insert = fc.tuple(share, fc.oneof(WORDS, fc.uint8Array({ maxLength: 8 }).map(Buffer.from))).map(
    ([at, word]): Edit =>
      (bytes) =>
        Buffer.concat([bytes.subarray(0, place(bytes, at)), word, bytes.subarray(place(bytes, at))]),
  );
  const repeat = fc.tuple(share, share, fc.integer({ min: 1, max: 40 })).map(
    ([from, length, times]): Edit =>
      (bytes) => {
        const start = place(bytes, from);
        const end = start + Math.ceil(length ** 3 * (bytes.length - start));
        const piece = bytes.subarray(start, end);
        return Buffer.concat([
          bytes.subarray(0, end),
          ...new Array<Buffer>(times).fill(piece),
          bytes.subarray(end),
        ]);
      },
  );
  const splice = fc.tuple(fc.nat(captures.length - 1), share, share).map(
    ([other, at, from]): Edit =>
      (bytes) => {
        const tail = captures[other] as Buffer;
        return Buffer.concat([bytes.subarray(0, place(bytes, at)), tail.subarray(place(tail, from))]);
      },
  );
  return fc.oneof(
    { weight: 3, arbitrary: flip },
    { weight: 2, arbitrary: cut },
    { weight: 3, arbitrary: insert },
    { weight: 1, arbitrary: repeat },
    { weight: 2, arbitrary: splice },
  );
}

/** What parsers have stumbled over before. */
const WORDS = fc.constantFrom(
  ...[
    ...[
      "\0",
      "\r\n",
      "\n",
      "\r",
      "\n\n",
      "\r\n\r\n",
      "\ufeff",
      " ",
      "\t",
      ":",
      ";",
      ",",
      "=",
      "&",
      "%",
      "%zz",
      "%00",
      "%ff",
    ],
    ...[
      "{",
      "}",
      "[",
      "]",
      '"',
      "\\",
      "\\ud800",
      "{}",
      "null",
      "-1",
      "1e999",
      "0x10",
      "NaN",
      '"__proto__":{"a":1},',
    ],
    ...[
      "*",
      "**",
      "(a+)+",
      ":a",
      "{/a}",
      "{+a*}",
      "..",
      "//",
      "/%2e%2e/",
      "?",
      "#",
      "@",
      "&a *a",
      "!!js/function x",
      "<<: *a",
    ],
    ...[
      "id:",
      "event:",
      "data:",
      "retry: 99999999999999999999",
      "Content-Length: 99999999999\r\n",
      "Transfer-Encoding: chunked\r\n",
    ],
    ...[
      "fffffffff\r\n",
      "0\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\n",
      "for=",
      'for="[::1]:80"',
      "for=_hidden;proto=https",
      "::ffff:127.0.0.1",
    ],
  ].map((text) => Buffer.from(text)),
  Buffer.from("9".repeat(400)),
  Buffer.from("[".repeat(2000)),
  Buffer.from('{"a":'.repeat(500)),
  Buffer.from("a".repeat(5000)),
  Buffer.from([0xff, 0xfe]),
  Buffer.from([0xf0, 0x9f, 0x98]),
  Buffer.from([0xed, 0xa0, 0x80]),
  // WebSocket heads: an endless length, an unmasked frame, reserved bits, a long ping, a close without a code.
  Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
  Buffer.from([0x81, 0x02, 0x7b, 0x7d]),
  Buffer.from([0xf1, 0x80, 0, 0, 0, 0]),
  Buffer.from([0x89, 0xfe, 0x01, 0x00, 1, 2, 3, 4]),
  Buffer.from([0x88, 0x81, 0, 0, 0, 0, 3]),
);
