import { CodedError } from "#base/errors.ts";

/** What subscribing and publishing by Mercure (draft-dunglas-mercure-08) have in common. */

/** The hub's path. Topics at or below it are the hub's own ("Publication"). */
export const MERCURE_PATH = "/.well-known/mercure";

/** The cookie in which browsers show an access token ("Cookie"). */
export const MERCURE_COOKIE = "__Secure-mercure_access_token";

/** The older draft's cookie, and its field of the response (draft-dunglas-mercure-07). */
export const MERCURE_COOKIE_07 = "mercureAuthorization";
export const LAST_EVENT_ID_FIELD_07 = "Last-Event-ID";

/** Stands for "all that is held" as a last event id, and for "no event before" in the answer ("Reconciliation"). */
export const EARLIEST = "earliest";

/** The field of the response that tells from where on events follow ("Reconciliation"). */
export const LAST_EVENT_ID_FIELD = "Mercure-Last-Event-ID";

/** Every way in which a request is malformed by itself, whoever sends it. A closed list: documentation counts on it. */
export const MercureErrorCode = {
  bad_encoding: "bad_encoding",
  no_matcher: "no_matcher",
  unknown_matcher_type: "unknown_matcher_type",
  bad_matcher: "bad_matcher",
  too_many_matchers: "too_many_matchers",
  bad_heartbeat: "bad_heartbeat",
  not_a_form: "not_a_form",
  body_too_large: "body_too_large",
  too_many_fields: "too_many_fields",
  no_topic: "no_topic",
  bad_topic: "bad_topic",
  reserved_topic: "reserved_topic",
  too_many_topics: "too_many_topics",
  bad_id: "bad_id",
  bad_type: "bad_type",
  bad_retry: "bad_retry",
  field_too_long: "field_too_long",
} as const;
export type MercureErrorCode = (typeof MercureErrorCode)[keyof typeof MercureErrorCode];

/** A malformed request. Its message is for the one who sent it, and says what to do. */
export class MercureError extends CodedError<MercureErrorCode> {
  /** The HTTP status: 413 for what is too large to publish, 415 for another kind of body, else 400. */
  readonly status: 400 | 413 | 415;

  constructor(code: MercureErrorCode, message: string, status: 400 | 413 | 415 = 400) {
    super(code, message);
    this.status = status;
  }
}
