import type { Publication } from "./event.ts";
import { EARLIEST, MERCURE_PATH, MercureError } from "./mercure.ts";
import { parseForm } from "./mercure-form.ts";
import { EVENT_ID_LENGTH_MAX } from "./mercure-subscribe.ts";
import { topicFault } from "./topic.ts";
import { resolvedPathOf } from "./url-pattern.ts";

/** Most topics of one update, the canonical one included. */
export const TOPICS_MAX = 100;

/** Longest event type, in UTF-16 code units. */
export const EVENT_TYPE_LENGTH_MAX = 256;

/**
 * An update as a publisher posts it (Mercure, "Publication"). Fields that are not known are ignored.
 *
 * @param body an `application/x-www-form-urlencoded` body, one character a byte
 * @throws MercureError
 */
export function parsePublishForm(body: string): Publication {
  const topics: string[] = [];
  const single = new Map<string, string>();
  let isPrivate = false;
  for (const [name, value] of parseForm(body)) {
    if (name === "topic") {
      if (topics.length === TOPICS_MAX) {
        throw new MercureError("too_many_topics", `an update can't have more than ${TOPICS_MAX} topics`, 413);
      }
      topics.push(checkedTopic(value));
    } else if (name === "private") {
      // Its presence counts, whatever its value.
      isPrivate = true;
    } else if (SINGLE.has(name) && !single.has(name)) {
      single.set(name, value);
    }
  }
  const [canonical, ...alternates] = topics;
  if (canonical === undefined)
    throw new MercureError("no_topic", "say which topic is updated: topic=/news/today");
  const id = single.get("id");
  const type = single.get("type");
  const retry = single.get("retry");
  return {
    topics: [canonical, ...alternates],
    data: single.get("data") ?? "",
    type: type === undefined ? "" : checkedType(type),
    id: id === undefined || id === "" ? null : checkedId(id),
    retryMs: retry === undefined || retry === "" ? null : checkedRetry(retry),
    private: isPrivate,
  };
}

const SINGLE: ReadonlySet<string> = new Set(["data", "id", "type", "retry"]);

/** C0, DEL, C1 and format characters. */
const FORBIDDEN = /[\p{Cc}\p{Cf}]/u;

/** A day. Reconnection times beyond it are cut to it: a client that was told more is as good as lost. */
const RETRY_MS_MAX = 86_400_000;

function checkedTopic(topic: string): string {
  const fault = topicFault(topic);
  if (fault !== null) throw new MercureError("bad_topic", fault);
  if (isReserved(topic)) {
    throw new MercureError(
      "reserved_topic",
      `topics at ${MERCURE_PATH} and below are the hub's own; choose another`,
    );
  }
  return topic;
}

/** Whether a topic is the hub's own: by the path that it resolves to, so that no other spelling of it gets past. */
export function isReserved(topic: string): boolean {
  const path = resolvedPathOf(topic);
  if (path === null) return false;
  // The URL parser has removed dot segments, but keeps unreserved characters that are percent-encoded.
  const decoded = path.replace(/%([2-7][0-9a-f])/gi, (octet, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : octet;
  });
  return decoded === MERCURE_PATH || decoded.startsWith(`${MERCURE_PATH}/`);
}

function checkedId(id: string): string {
  if (id.startsWith("#")) {
    throw new MercureError(
      "bad_id",
      "an id can't begin with '#': those are the hub's; leave it out to be given one",
    );
  }
  if (id === EARLIEST) throw new MercureError("bad_id", `the id '${EARLIEST}' is reserved; choose another`);
  if (FORBIDDEN.test(id)) throw new MercureError("bad_id", "an id can't hold control or format characters");
  if (id.length > EVENT_ID_LENGTH_MAX) {
    throw new MercureError(
      "field_too_long",
      `an id can't be longer than ${EVENT_ID_LENGTH_MAX} characters`,
      413,
    );
  }
  return id;
}

function checkedType(type: string): string {
  if (type === "mercure")
    throw new MercureError("bad_type", "the type 'mercure' is the hub's own; choose another");
  if (FORBIDDEN.test(type))
    throw new MercureError("bad_type", "a type can't hold control or format characters");
  if (type.length > EVENT_TYPE_LENGTH_MAX) {
    throw new MercureError(
      "field_too_long",
      `a type can't be longer than ${EVENT_TYPE_LENGTH_MAX} characters`,
      413,
    );
  }
  return type;
}

function checkedRetry(retry: string): number {
  if (!/^[0-9]+$/.test(retry)) {
    throw new MercureError("bad_retry", "retry is a whole number of milliseconds, in ASCII digits alone");
  }
  return Math.min(Number(retry), RETRY_MS_MAX);
}
