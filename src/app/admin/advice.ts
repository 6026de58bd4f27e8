import type { ErrorEntry } from "#ops/error-groups.ts";
import { CLOSE_REASONS, type CloseReason } from "#protocol/close-reason.ts";
import { LINK_REASONS, type LinkReason } from "#upstream/link-reason.ts";

/** What a group of errors or ends means, and what to do about it. */
export function adviceOf({ kind, room, code }: Pick<ErrorEntry, "kind" | "room" | "code">): string {
  if (kind === "end" && room === "upstream" && code in LINK_REASONS) {
    return withTodo(LINK_REASONS[code as LinkReason].meaning, LINK_TODO[code as LinkReason]);
  }
  if (code in CLOSE_REASONS) {
    return withTodo(CLOSE_REASONS[code as CloseReason].meaning, CLOSE_TODO[code as CloseReason]);
  }
  const colon = code.indexOf(":");
  const bare = colon < 0 ? code : code.slice(colon + 1);
  return OTHER_TODO[bare] ?? "See the log lines of this room and code for what was being done.";
}

function withTodo(meaning: string, todo: string | undefined): string {
  const sentence = `${meaning.charAt(0).toUpperCase()}${meaning.slice(1)}.`;
  return todo === undefined ? sentence : `${sentence} ${todo}`;
}

const LINK_TODO: Partial<Readonly<Record<LinkReason, string>>> = {
  reset:
    "It heals by itself; if it comes often, ask the feed's operator, or look at proxies and firewalls between.",
  refused: "Check that the feed runs and that its port is right.",
  idle_timeout: "If the feed is silent for longer by design, raise health.idleTimeout.",
  timeout_connect: "Check the route and firewalls to the feed.",
  timeout_headers: "The feed accepts connections and does not answer: look there.",
  event_too_large: "If such events are as they should be, raise health.eventBytesMax.",
  busy: "The feed limits us: fewer links (pool.linksMax), or ask for more.",
  server_error: "Look at the feed, or at the proxy before it.",
};

const CLOSE_TODO: Partial<Readonly<Record<CloseReason, string>>> = {
  connection_reset:
    "Mostly a client's network that changed; many from one address point at a proxy or firewall there.",
  timed_out: "The client's network went away without a word.",
  slow_consumer:
    "Look at that client's network or code; slowConsumer: conflate keeps it on topics with state.",
  no_pong: "The client froze or its network went away.",
  stale: "A client that connects and does nothing: look at its code, or at who probes the gateway.",
  connection_limit: "Raise limits.connections…, or find out who opens so many.",
  memory_pressure: "Raise limits.memory, or lower limits.queueBytes and log.bytesMax.",
  token_expired: "The client should refresh its token before its end.",
};

const OTHER_TODO: Readonly<Record<string, string>> = {
  wrong_credentials: "Wrong user name or password. Many of them: somebody guesses; sign-ins are throttled.",
  disabled: "A disabled user tried to sign in.",
  too_many_attempts: "Sign-ins of one user or address are throttled: wait, or find out who tries.",
  invalid_token:
    "An access token that is not ours or not valid: an old page, another issuer, or a wrong key.",
  token_expired: "An access token at its end: the client should refresh earlier.",
  token_revoked: "A token of a session that was ended.",
  invalid_refresh_token: "A refresh token of a session that is over: sign in again.",
  refresh_token_reused: "A refresh token was used twice: it may have been stolen. Its session was ended.",
  busy: "More sign-ins at once than can be checked: they come back by themselves.",
  issuer_unreachable: "A trusted issuer's keys could not be read: check auth.trustedIssuers and the network.",
  ECONNREFUSED: "Nothing listens where the database, or another service, should be.",
  ECONNRESET: "The other side ended the connection abruptly.",
};
