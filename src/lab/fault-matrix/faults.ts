import type { LinkReason } from "#upstream/link-reason.ts";
import type { Answer } from "../fault-feed/answer.ts";
import type { ConnectionScript, MarkedFault } from "../fault-proxy/script.ts";
import type { Bench, CertificateName } from "./bench.ts";

/** A row of the matrix: a fault, and what the link has to take it for. */
export interface MatrixFault {
  readonly name: string;
  /** Reasons that the link gives, in order, repetitions left out. None: it is no fault of the link. */
  readonly reasons: readonly LinkReason[];
  /** The feed's history; default all. */
  readonly historyEvents?: number;
  /** Over TLS, and so over HTTP/2. Default false: HTTP/1.1 in plain text. */
  readonly tls?: boolean;
  /** What it does to an event can't be undone by asking for it again. */
  readonly spoilsEvents?: true;
  do(bench: Bench): void | Promise<void>;
  /** Events are missing that nobody can know of: why. */
  readonly silentLoss?: string;
}

export const MATRIX_FAULTS: readonly MatrixFault[] = [
  live("TCP reset between two events", "reset", { do: "reset", at: { events: 3 } }),
  live("TCP reset inside an event", "reset", { do: "reset", at: { events: 3, inside: "event" } }),
  live("TCP reset inside a UTF-8 character", "reset", {
    do: "reset",
    at: { events: 3, inside: "character" },
  }),
  live("half-open: the feed falls silent, the connection stays up", "idle_timeout", {
    do: "silence",
    at: { events: 3 },
  }),
  live("half-open inside an event", "idle_timeout", {
    do: "silence",
    at: { events: 3, inside: "event" },
  }),
  live("connection closed (FIN) between two events", "truncated", { do: "truncate", at: { events: 3 } }),
  live("connection closed (FIN) inside an event", "truncated", {
    do: "truncate",
    at: { events: 3, inside: "event" },
  }),
  live("the feed closes its half of the connection only", "truncated", {
    do: "close_half",
    at: { events: 3 },
  }),
  { name: "orderly end of the response", reasons: ["ended"], do: ({ source }) => source.endStreams() },
  live("bytes of the framing spoilt", "protocol", {
    do: "corrupt",
    at: { events: 3 },
    bytes: 400,
  }),
  {
    name: "a byte of an event's data spoilt",
    reasons: [],
    do: ({ proxy }) => void proxy.inject({ do: "corrupt", at: { events: 3, inside: "event" } }),
    spoilsEvents: true,
  },
  after("accepted and reset, three times", ["reset"], {
    scripts: [[{ do: "reset" }], [{ do: "reset" }], [{ do: "reset" }]],
  }),
  after("accepted, then nothing gets through", ["reset", "timeout_headers"], {
    scripts: [[{ do: "silence" }]],
  }),
  after("accepted, the request never arrives", ["reset", "timeout_headers"], {
    scripts: [[{ do: "silence", direction: "up" }]],
  }),
  {
    name: "nobody listens for 300 ms",
    reasons: ["reset", "refused"],
    do: async (bench) => {
      await bench.proxy.refuse();
      bench.reset();
      await bench.pause(300);
      await bench.proxy.accept();
    },
  },
  after("a connection with 100 ms of delay", ["reset"], { scripts: [[{ do: "delay", ms: 100 }]] }),
  after("a connection that trickles, 128 bytes every 4 ms", ["reset"], {
    scripts: [[{ do: "trickle", bytes: 128, everyMs: 4 }]],
  }),
  answered("500", ["server_error"], { kind: "status", status: 500 }),
  answered("502, three times", ["server_error"], ...times(3, { kind: "status", status: 502 })),
  answered("503 with `Retry-After: 1`", ["server_error"], { kind: "status", status: 503, retryAfter: 1 }),
  answered("429", ["busy"], { kind: "status", status: 429 }),
  answered("401", ["unauthorized"], { kind: "status", status: 401 }),
  answered("403", ["forbidden"], { kind: "status", status: 403 }),
  answered("404", ["client_error"], { kind: "status", status: 404 }),
  answered("206", ["unexpected_status"], { kind: "status", status: 206 }),
  {
    name: "204, and the keys are wanted anew",
    reasons: ["reset", "no_content"],
    do: async (bench) => {
      bench.answerNext({ kind: "status", status: 204 });
      bench.reset();
      await bench.until("204", () => bench.failures.at(-1)?.reason === "no_content");
      for (const key of bench.source.events.keys) {
        bench.feed.unwant(key);
        bench.feed.want(key);
      }
    },
  },
  answered("a redirect, followed", [], { kind: "redirect", status: 302, to: "/moved" }),
  answered("a redirect without end", ["redirect"], ...times(21, { kind: "redirect", to: "loop" })),
  answered("`text/html`", ["content_type"], { kind: "stream", contentType: "text/html" }),
  answered("no content type", ["content_type"], { kind: "stream", contentType: null }),
  answered("gzip that nobody asked for", ["content_encoding"], { kind: "stream", gzip: true }),
  answered("a line without end", ["event_too_large"], { kind: "stream", turn: "endless_line" }),
  answered("an event without end", ["event_too_large"], { kind: "stream", turn: "endless_event" }),
  answered("a chunk without a size", ["protocol"], { kind: "stream", turn: "garbage_chunk" }),
  answered("a response cut off after 5 events", ["truncated"], {
    kind: "stream",
    events: 5,
    turn: "cut",
  }),
  answered("a stream that falls silent after 5 events", ["idle_timeout"], {
    kind: "stream",
    events: 5,
    turn: "silence",
  }),
  answered("no response's head", ["protocol"], { kind: "no_head" }),
  answered("a head without end", ["headers_too_large"], { kind: "endless_head" }),
  answered("a head byte by byte", ["timeout_headers"], { kind: "slow_head", everyMs: 50 }),
  answered("no answer", ["timeout_headers"], { kind: "silence" }),
  {
    name: "nobody listens for 200 ms, and the feed then ignores `Last-Event-ID`",
    reasons: ["reset", "refused"],
    historyEvents: 0,
    do: async (bench) => {
      await bench.proxy.refuse();
      bench.reset();
      await bench.pause(200);
      await bench.proxy.accept();
    },
    silentLoss: "the feed was asked to go on after an id, and does not say that it could not",
  },
  secure(live("HTTP/2: TCP reset", "reset", { do: "reset" })),
  secure(live("HTTP/2: half-open, and so no answer to a PING", "ping_timeout", { do: "silence" })),
  secure(
    answered("HTTP/2's GOAWAY after 5 events", ["stream_reset"], {
      kind: "stream",
      events: 5,
      turn: "goaway",
    }),
  ),
  secure(
    answered("HTTP/2's RST_STREAM after 5 events", ["stream_reset"], {
      kind: "stream",
      events: 5,
      turn: "rst_stream",
    }),
  ),
  secure(answered("503 over HTTP/2", ["server_error"], { kind: "status", status: 503 })),
  certified("TLS: an expired certificate, then a good one", "tls_expired", "expired"),
  certified("TLS: a certificate for another name, then a good one", "tls_name_mismatch", "other-name"),
  certified("TLS: a certificate of the future, then a good one", "tls_not_yet_valid", "future"),
];

function secure(fault: MatrixFault): MatrixFault {
  return { ...fault, tls: true };
}

/** What the feed shows after a reset, once. */
function certified(name: string, reason: LinkReason, certificate: CertificateName): MatrixFault {
  return secure({
    name,
    reasons: ["reset", reason],
    do: async (bench) => {
      bench.showCertificate(certificate);
      bench.reset();
      await bench.until(reason, () => bench.failures.at(-1)?.reason === reason);
      bench.showCertificate("good");
    },
  });
}

/** Done to the connection that is up. */
function live(name: string, reason: LinkReason, fault: MarkedFault): MatrixFault {
  return { name, reasons: [reason], do: ({ proxy }) => void proxy.inject(fault) };
}

/** Done to the connections after a reset. */
function after(
  name: string,
  reasons: readonly LinkReason[],
  { scripts }: { scripts: readonly ConnectionScript[] },
): MatrixFault {
  return {
    name,
    reasons,
    do: (bench) => {
      bench.scriptNext(...scripts);
      bench.reset();
    },
  };
}

/** What the feed answers after a reset. */
function answered(name: string, reasons: readonly LinkReason[], ...answers: readonly Answer[]): MatrixFault {
  return {
    name: `answered by ${name}`,
    reasons: ["reset", ...reasons],
    do: (bench) => {
      bench.answerNext(...answers);
      bench.reset();
    },
  };
}

function times(count: number, item: Answer): Answer[] {
  return Array.from({ length: count }, () => item);
}
