import { readFileSync } from "node:fs";

/** Descriptors kept for the database, feeds, logs and whoever is on the way out. */
const RESERVE = 256;
/** Sockets beside the connections: requests, refusals, handshakes; a share of the connections, and at least so many. */
const SPARE_SHARE = 0.1;
const SPARE_MIN = 200;

/** The most sockets of clients at once, so that descriptors never run out. Pure. @param soft null: not known */
export function socketsMax(connections: number, feedLinks: number, soft: number | null): number {
  const wanted = connections + Math.max(SPARE_MIN, Math.ceil(connections * SPARE_SHARE));
  return soft === null ? wanted : Math.max(1, Math.min(wanted, soft - RESERVE - feedLinks));
}

/** How many files and sockets the process may have open (RLIMIT_NOFILE, soft); null: unlimited, or not to be known here. */
export function descriptorLimit(): number | null {
  try {
    const line = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"));
    return line === null ? null : Number(line[1]);
  } catch {
    // Not Linux.
    return null;
  }
}
