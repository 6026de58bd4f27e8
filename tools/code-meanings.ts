import type { ListenErrorCode } from "#app/listener.ts";
import type { AccountErrorCode } from "#auth/accounts.ts";
import type { PromptErrorCode } from "#cli/prompt.ts";
import type { TopicRefused } from "#hub/hub.ts";
import type { CheckUsageError } from "#lab/check/target.ts";
import type { LoadUsageError } from "#lab/load/plan.ts";
import type { ReadinessCode } from "#ops/health.ts";
import type { MercureErrorCode } from "#protocol/mercure.ts";
import type { MatcherErrorCode } from "#protocol/topic-matcher.ts";

/** The meanings of codes whose messages say all that a program needs. A code that is missing here does not compile. */
export const LISTEN_ERRORS: Readonly<Record<ListenErrorCode, string>> = {
  port_in_use: "another process listens on the address and port",
  port_forbidden: "this user may not listen on the port; ports below 1024 mostly need a privilege",
  address_unavailable: "the machine has no such address",
  listen_failed: "the system refused for another cause, which the message tells",
};

export const ACCOUNT_ERRORS: Readonly<Record<AccountErrorCode, string>> = {
  user_exists: "a user of this name is there already",
  user_unknown: "there is no user of this name",
  user_name: "the name is empty, too long, or has characters that names can't have",
  user_password: "the password is too short or too long",
};

export const HUB_ERRORS: Readonly<Record<TopicRefused["code"], string>> = {
  topic_refused: "every link of the topic's feed is full: raise its `pool.linksMax` or `pool.keysPerLink`",
};

export const MATCHER_ERRORS: Readonly<Record<MatcherErrorCode, string>> = {
  bad_matcher: "neither a topic nor a well-formed URL pattern",
  matcher_too_long: "a topic of more than 1024 characters, or a pattern of more than 512",
  unsafe_matcher: "a pattern with regular expressions, or with too many wildcards",
};

export const READINESS: Readonly<Record<ReadinessCode, string>> = {
  draining: "the gateway is stopping and sends its clients away",
  not_listening: "the listener does not accept connections yet, or no more",
  memory_short: "memory is near `limits.memory`, so that nobody new is let in",
  database: "the database does not answer",
  log_unwritten:
    "a warning only: the log can't be written to `log.persist` and goes on in memory; look at the disk",
  feed_rejected: "a warning only: a feed refuses its links; look at its credentials and URL",
};

export const MERCURE_ERRORS: Readonly<Record<MercureErrorCode, string>> = {
  bad_encoding: "the query or the body is not well-formed percent-encoded UTF-8",
  no_matcher: "no topic is asked for",
  unknown_matcher_type: "a matcher type other than exact and URL pattern",
  bad_matcher: "neither a topic nor a well-formed URL pattern",
  too_many_matchers: "more topics and patterns than a connection may have",
  bad_heartbeat: "`heartbeat` is something other than `event`",
  not_a_form: "the body of a publication is not a URL-encoded form",
  body_too_large: "the body is larger than `limits.requestBytes`",
  too_many_fields: "the form has more fields than a publication can have",
  no_topic: "a publication without a topic",
  bad_topic: "a topic that is empty, too long, or has control characters",
  reserved_topic: "a topic at or below `/.well-known/mercure`, which is the hub's own",
  too_many_topics: "more topics than a publication may have",
  bad_id: "an id that is malformed, or begins with `#`, which is for the hub's own",
  bad_type: "an event type with line breaks, or too long",
  bad_retry: "a reconnection time that is not a whole number of milliseconds",
  field_too_long: "a field that is longer than its bound",
};

export const USAGE_ERRORS: Readonly<
  Record<CheckUsageError["code"] | LoadUsageError["code"] | PromptErrorCode, string>
> = {
  no_password: "a password is needed, and there is no terminal to ask for it; use --password-stdin",
  passwords_differ: "the new password was typed differently the second time",
  input_too_long: "more was typed or piped in than a password can have",
  interrupted: "Ctrl-C at the prompt",
  bad_url: "the URL is not that of a gateway: http:// or https://, without path, user or password",
  bad_ca: "the file of certificate authorities can't be read, or holds none",
  bad_plan: "a load that can't be run: a number out of bounds, or a sign-in that is refused",
  no_gateway:
    "the gateway that `load` starts for itself did not start, as with a certificate that is not good",
  off_loopback: "a load test of another machine, without --i-own-this-host",
};
