import type { Logger } from "#base/logger.ts";

/** What the demo tells of its gateway: links, connections and faults, a short line each. */
export class DemoLog implements Logger {
  debug(): void {}

  info(fields: object, message: string): void {
    if (/^(link|connection|draining|drained|feed)/.test(message)) write(fields, message);
  }

  warn(fields: object, message: string): void {
    write(fields, message);
  }

  error(fields: object, message: string): void {
    write(fields, message);
  }
}

/** Fields that say something at a glance; identifiers are for log collectors. */
const SHOWN = [
  "feed",
  "transport",
  "user",
  "reason",
  "keys",
  "delayMs",
  "waitMs",
  "durationS",
  "detail",
  "err",
];

function write(fields: object, message: string): void {
  const known = fields as Record<string, unknown>;
  const shown = SHOWN.filter(
    (name) => known[name] !== undefined && known[name] !== "" && known[name] !== null,
  ).map(
    (name) =>
      `${name}=${typeof known[name] === "object" ? JSON.stringify(known[name]) : String(known[name])}`,
  );
  process.stdout.write(`${new Date().toLocaleTimeString("en-GB")} ${message} ${shown.join(" ")}\n`);
}
