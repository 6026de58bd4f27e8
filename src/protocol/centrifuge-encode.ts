import {
  CENTRIFUGE_ERRORS,
  type CentrifugeError,
  UNSUBSCRIBE_CODES,
  type UnsubscribeCode,
} from "./centrifuge-codes.ts";
import { encodePassingFrame, encodePassingFrameOf, encodeTextFrame, payloadOf } from "./websocket-frame.ts";

/**
 * What the server says in the Centrifuge client protocol, JSON (`client.proto`: Reply, Push). Each function makes a
 * whole text frame, header included, with one message; a frame may hold several, but a frame of its own costs two
 * to four bytes and saves copying.
 */
export interface PublicationFields {
  /** Hub-wide sequence number, at most 2^53 - 1. */
  readonly offset: number;
  /** Sent as it is where it is JSON, else as a JSON string. */
  readonly data: string;
  /** SSE event type; "" for none. Travels as tag `type`. */
  readonly type: string;
  /** When the event entered, in milliseconds since the Unix epoch. */
  readonly timeMs: number;
}

/** `Push.pub`. The same bytes serve every subscriber of the channel. */
export function encodePublicationPush(channel: string, publication: PublicationFields): Buffer {
  return encodeTextFrame(`${pushHead(channel)}${publicationText(publication)}}}`);
}

/** The bare publications in frames that `encodePublicationPush` made for this channel: views, nothing is copied. */
export function publicationsIn(frames: readonly Buffer[], channel: string): Buffer[] {
  const headBytes = Buffer.byteLength(pushHead(channel));
  return frames.map((frame) => {
    const payload = payloadOf(frame);
    return payload.subarray(headBytes, payload.length - 2);
  });
}

/** The server's ping: an empty reply. */
export const PING_FRAME: Buffer = encodeTextFrame("{}");

/** `Reply.error`. */
export function encodeErrorReply(id: number, error: CentrifugeError, isTemporary = false): Buffer {
  const { message, temporary: isAlwaysTemporary } = CENTRIFUGE_ERRORS[error];
  const temporary = isTemporary || isAlwaysTemporary;
  const fields = temporary ? { code: error, message, temporary } : { code: error, message };
  return encodePassingFrame(JSON.stringify({ id, error: fields }));
}

/** Methods whose results `encodeReply` sends, by their names in `Reply`. */
export type ReplyMethod =
  | "connect"
  | "subscribe"
  | "unsubscribe"
  | "publish"
  | "presence"
  | "presence_stats"
  | "history"
  | "refresh";

/** `Reply` with a result. Fields that are undefined are left out, as are a protobuf message's defaults. */
export function encodeReply(id: number, method: ReplyMethod, result: object): Buffer {
  return encodePassingFrame(`{"id":${id},"${method}":${JSON.stringify(result)}}`);
}

/** `encodeReply` with a last field, `publications`, that is made of what `publicationsIn` gives. None: no such field. */
export function encodeReplyWithPublications(
  id: number,
  method: "subscribe" | "history",
  result: object,
  publications: readonly Buffer[],
): Buffer {
  if (publications.length === 0) return encodeReply(id, method, result);
  const fields = JSON.stringify(result).slice(0, -1);
  const comma = Buffer.from(",");
  const pieces: Buffer[] = [
    Buffer.from(`{"id":${id},"${method}":${fields}${fields === "{" ? "" : ","}"publications":[`),
  ];
  publications.forEach((publication, index) => {
    if (index > 0) pieces.push(comma);
    pieces.push(publication);
  });
  pieces.push(Buffer.from("]}}"));
  return encodePassingFrameOf(pieces);
}

/** `Push.unsubscribe`: codes from 2500 on make SDKs subscribe again. */
export function encodeUnsubscribePush(channel: string, code: UnsubscribeCode): Buffer {
  const { reason } = UNSUBSCRIBE_CODES[code];
  return encodePassingFrame(JSON.stringify({ push: { channel, unsubscribe: { code, reason } } }));
}

/**
 * Data as JSON on one line. JSON goes as it came: parsing and writing it again would round numbers. Raw line breaks
 * stand only between a JSON text's tokens, and would end the message: messages are separated by them.
 */
function jsonText(data: string): string {
  if (!isJson(data)) return JSON.stringify(data);
  return LINE_BREAK.test(data) ? data.replace(LINE_BREAKS, " ") : data;
}

const LINE_BREAK = /[\r\n]/;
const LINE_BREAKS = /[\r\n]+/g;
const JSON_START = /^[ \t\r\n]*[[{"\-0-9tfn]/;

/** Most text that is not JSON shows it by its first character; only the rest is worth a parser's run and its throw. */
function isJson(data: string): boolean {
  if (!JSON_START.test(data)) return false;
  try {
    JSON.parse(data);
    return true;
  } catch {
    return false;
  }
}

function pushHead(channel: string): string {
  return `{"push":{"channel":${JSON.stringify(channel)},"pub":`;
}

function publicationText({ offset, data, type, timeMs }: PublicationFields): string {
  const tags = type === "" ? "" : `,"tags":{"type":${JSON.stringify(type)}}`;
  return `{"data":${jsonText(data)},"offset":${offset},"time":${timeMs}${tags}}`;
}
