import type { Health } from "./admin/ports.ts";
import type { Readiness } from "./health.ts";

/** What an operator should look at beside readiness. */
export interface VerdictFacts {
  readonly connections: number;
  readonly connectionsMax: number;
  readonly linksOpen: number;
  /** Links that wait, connect or are rejected; feeds at rest have none. */
  readonly linksDown: number;
  /** When the served certificate expires, in milliseconds since the Unix epoch; null without TLS. */
  readonly certificateExpiresAtMs: number | null;
  /** What the sweep found: each is a bug. */
  readonly sweepReclaimed: number;
  readonly nowMs: number;
}

/** A certificate that ends so soon should have been renewed. */
const CERTIFICATE_WARNING_MS = 14 * 86_400_000;
const FULL_SHARE = 0.9;

/** Whether all is well, in one sentence, and why not. Pure. */
export function verdictOf(readiness: Readiness, facts: VerdictFacts): Health {
  const reasons: Health["reasons"] = readiness.reasons.map((reason) => ({ ...reason }));
  const warn = (code: string, message: string) => reasons.push({ code, severity: "warning", message });
  if (facts.linksDown > 0) {
    warn(
      "links_down",
      `${facts.linksDown} of ${facts.linksDown + facts.linksOpen} links are not open: see Feeds for why and for the next attempt`,
    );
  }
  if (facts.connections >= facts.connectionsMax * FULL_SHARE) {
    warn(
      "nearly_full",
      `${facts.connections} of ${facts.connectionsMax} connections are taken: raise limits.connections, or add a gateway`,
    );
  }
  const { certificateExpiresAtMs: expiresAtMs, nowMs } = facts;
  if (expiresAtMs !== null && expiresAtMs - nowMs < CERTIFICATE_WARNING_MS) {
    const days = Math.floor((expiresAtMs - nowMs) / 86_400_000);
    warn(
      "certificate_expiring",
      days < 0
        ? "the certificate has expired: renew it, then send SIGHUP"
        : `the certificate expires in ${days} days: renew it, then send SIGHUP`,
    );
  }
  if (facts.sweepReclaimed > 0) {
    warn(
      "sweep_found",
      `the sweep found ${facts.sweepReclaimed} things that should not exist: a bug, please report it with the log`,
    );
  }
  return { ...sentenceOf(reasons, facts), reasons };
}

function sentenceOf(reasons: Health["reasons"], facts: VerdictFacts): Pick<Health, "level" | "sentence"> {
  const failure = reasons.find(({ severity }) => severity === "failure");
  if (failure !== undefined) return { level: "failure", sentence: `Not well: ${failure.message}.` };
  const [warning] = reasons;
  if (warning !== undefined)
    return { level: "warning", sentence: `Serving, but look at this: ${warning.message}.` };
  const links = facts.linksOpen === 0 ? "no link is needed" : `${plural(facts.linksOpen, "link")} open`;
  return { level: "well", sentence: `All is well: ${plural(facts.connections, "connection")}, ${links}.` };
}

function plural(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
