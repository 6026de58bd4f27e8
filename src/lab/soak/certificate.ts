import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

export interface Certificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

const DAY_MS = 86_400_000;

/** A self-signed certificate for `localhost` and 127.0.0.1 (X.509 v3, RFC 5280; P-256), good for 90 days. */
export function selfSigned(nowMs: number): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "der" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  // A name of its own: of two authorities of the same name only one would be found.
  const serial = randomBytes(15);
  const name = seq(set(seq(COMMON_NAME, der(0x0c, Buffer.from(`soak ${serial.toString("hex")}`)))));
  const names = seq(der(0x82, Buffer.from("localhost")), der(0x87, Buffer.from([127, 0, 0, 1])));
  const toBeSigned = seq(
    der(0xa0, integer(Buffer.from([2]))),
    integer(Buffer.concat([Buffer.from([0x40]), serial])),
    seq(ECDSA_SHA256),
    name,
    seq(time(nowMs - DAY_MS), time(nowMs + 90 * DAY_MS)),
    name,
    publicKey,
    der(
      0xa3,
      seq(
        seq(SUBJECT_ALT_NAME, der(0x04, names)),
        seq(
          BASIC_CONSTRAINTS,
          der(0x01, Buffer.from([0xff])),
          der(0x04, seq(der(0x01, Buffer.from([0xff])))),
        ),
      ),
    ),
  );
  const signature = sign("sha256", toBeSigned, privateKey);
  const certificate = seq(
    toBeSigned,
    seq(ECDSA_SHA256),
    der(0x03, Buffer.concat([Buffer.from([0]), signature])),
  );
  const lines = certificate.toString("base64").replace(/.{64}/g, "$&\n");
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines.trimEnd()}\n-----END CERTIFICATE-----\n`,
    key: privateKey,
  };
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function seq(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function set(part: Buffer): Buffer {
  return der(0x31, part);
}

/** @param bytes positive: the first bit is zero */
function integer(bytes: Buffer): Buffer {
  return der(0x02, bytes);
}

/** UTCTime: good until 2049, as RFC 5280 (4.1.2.5) has it. */
function time(ms: number): Buffer {
  const text = new Date(ms).toISOString().replace(/[-:T]/g, "").slice(2, 14);
  return der(0x17, Buffer.from(`${text}Z`));
}

function oid(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, "hex"));
}

const COMMON_NAME = oid("550403");
const SUBJECT_ALT_NAME = oid("551d11");
const BASIC_CONSTRAINTS = oid("551d13");
const ECDSA_SHA256 = oid("2a8648ce3d040302");
