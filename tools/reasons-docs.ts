import { writeFileSync } from "node:fs";
import { HTTP2_ERRORS } from "#app/http2-guard.ts";
import { SWEEP_KINDS } from "#app/sweep-checks.ts";
import { TLS_ERRORS } from "#app/tls-pair.ts";
import { AUTH_ERRORS } from "#auth/auth-error.ts";
import { CONFIG_ERRORS } from "#config/fault.ts";
import { REFUSALS } from "#downstream/mercure-refusal.ts";
import { CENTRIFUGE_ERRORS, UNSUBSCRIBE_CODES } from "#protocol/centrifuge-codes.ts";
import { CLOSE_REASONS } from "#protocol/close-reason.ts";
import { LOG_ERRORS } from "#storage/log-error.ts";
import { STORAGE_ERRORS } from "#storage/storage-error.ts";
import { LINK_REASONS } from "#upstream/link-reason.ts";
import {
  ACCOUNT_ERRORS,
  HUB_ERRORS,
  LISTEN_ERRORS,
  MATCHER_ERRORS,
  MERCURE_ERRORS,
  READINESS,
  USAGE_ERRORS,
} from "./code-meanings.ts";

/** Where the generated page stands. */
export const REASONS_DOCS = new URL("../docs/reasons.md", import.meta.url);

/** docs/reasons.md, made of the tables in the code. `node --conditions=streamkeeper-source tools/reasons-docs.ts` writes it. */
export function reasonsDocs(): string {
  return `${[INTRODUCTION, CONNECTIONS, LINKS, SWEEP, WEBSOCKET, ...ERRORS].join("\n\n")}\n`;
}

const INTRODUCTION = `# Reasons and codes

<!-- Written by tools/reasons-docs.ts from the tables in src/; edit those. -->

Every end and every refusal has one code from a closed list. It is the same in log lines, in metrics and here.`;

const CONNECTIONS = page(
  "Why a client's connection ended",
  `The label \`reason\` of \`streamkeeper_connections_closed_total\`. A WebSocket client is told the code: from 3000 to 3499
its SDK reconnects by itself, from 3500 to 3999 it does not. An SSE client sees the stream end, and reconnects by itself.`,
  ["reason", "WebSocket code", "meaning"],
  Object.entries(CLOSE_REASONS).map(([reason, { websocketCode, meaning }]) => [
    reason,
    websocketCode ?? "none",
    meaning,
  ]),
);

const LINKS = page(
  "Why a link to a feed ended",
  `The label \`reason\` of \`streamkeeper_link_reconnects_total\`. \`retry\`: dialled again with backoff, for ever. \`reject\`: the
feed, or our configuration of it, says no; dialled again at the slowest pace, and shown as rejected. \`end\`: the feed wants
no reconnection. \`own\`: the gateway ended it.`,
  ["reason", "what follows", "meaning"],
  Object.entries(LINK_REASONS).map(([reason, { verdict, meaning }]) => [reason, verdict, meaning]),
);

const SWEEP = page(
  "What the sweep looks for",
  `The label \`kind\` of \`streamkeeper_sweep_reclaimed_total\`. Every minute it looks for what should not exist. Whatever it
finds is a bug of the gateway: please report it, with the log line.`,
  ["kind", "meaning"],
  Object.entries(SWEEP_KINDS),
);

const WEBSOCKET = [
  page(
    "Errors of WebSocket commands",
    "In the reply's `error`. SDKs try temporary ones again by themselves.",
    ["code", "message", "temporary", "meaning"],
    Object.entries(CENTRIFUGE_ERRORS).map(([code, { message, temporary, meaning }]) => [
      code,
      message,
      temporary ? "yes" : "no",
      meaning,
    ]),
  ),
  page(
    "Why a WebSocket client was unsubscribed",
    "In the `unsubscribe` push. SDKs subscribe again by themselves from 2500 on.",
    ["code", "text", "meaning"],
    Object.entries(UNSUBSCRIBE_CODES).map(([code, { reason, meaning }]) => [code, reason, meaning]),
  ),
].join("\n\n");

const ERRORS = [
  errors("Signing in", "The label `reason` of `streamkeeper_auth_failures_total`.", AUTH_ERRORS),
  errors("Readiness", "The reasons of `GET /readyz`.", READINESS),
  errors(
    "Subscribing and publishing by Mercure",
    "The answer's text says more. Status 400, or 413 or 415 for bodies.",
    MERCURE_ERRORS,
  ),
  errors(
    "Refused by the Mercure endpoint",
    "A stream is never refused with 429 or 5xx, since a browser would give up for ever.",
    REFUSALS,
  ),
  errors("Topics", "A subscription is refused with it, or, over WebSocket, with error 106.", HUB_ERRORS),
  errors("Topic patterns", "In roles, in tokens and in subscriptions.", MATCHER_ERRORS),
  errors(
    "Configuration",
    "`streamkeeper config check` tells all of it at once. Exit status 2.",
    CONFIG_ERRORS,
  ),
  errors(
    "Certificates",
    "At the start and whenever they are read again; a working pair stays in use.",
    TLS_ERRORS,
  ),
  errors("Listening", "At the start.", LISTEN_ERRORS),
  errors(
    "HTTP/2 sessions",
    "The label `code` of `streamkeeper_errors_total` in room `listener`. The client is told GOAWAY with ENHANCE_YOUR_CALM.",
    HTTP2_ERRORS,
  ),
  errors("The database", "At the start, or later.", STORAGE_ERRORS),
  errors("The log on disk", "At the start, or later.", LOG_ERRORS),
  errors("Users", "Of `streamkeeper user`.", ACCOUNT_ERRORS),
  errors("Usage", "Of commands. Exit status 2.", USAGE_ERRORS),
];

function errors(title: string, text: string, table: Readonly<Record<string, string>>): string {
  return page(title, text, ["code", "meaning"], Object.entries(table));
}

function page(
  title: string,
  text: string,
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const lines = rows.map(([code, ...cells]) => `| \`${code}\` | ${cells.join(" | ")} |`);
  return [
    `## ${title}`,
    "",
    text,
    "",
    `| ${head.join(" | ")} |`,
    `|${" --- |".repeat(head.length)}`,
    ...lines,
  ].join("\n");
}

if (import.meta.main) writeFileSync(REASONS_DOCS, reasonsDocs());
