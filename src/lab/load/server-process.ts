import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** CPU and memory of a server's process on this machine, read from /proc; elsewhere than on Linux there is none. */
export interface ServerUse {
  /** Since its start, user and system, in microseconds. */
  readonly cpuUs: number;
  /** Resident. */
  readonly memoryBytes: number;
}

/** Null: the process has gone, or this is no Linux. */
export function serverUse(pid: number): ServerUse | null {
  try {
    // The command's name, which comes second, may hold spaces and parentheses.
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[UTIME]) + Number(fields[UTIME + 1]);
    const memory = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
    return { cpuUs: ticks * TICK_US, memoryBytes: Number(memory?.[1] ?? 0) * 1024 };
  } catch {
    return null;
  }
}

/** Who listens at a port of this machine; null: not to be found out, as when it is another user's process. */
export function listenerPid(port: number): number | null {
  const inodes = ["tcp", "tcp6"].flatMap((file) => listeningInodes(readLines(`/proc/net/${file}`), port));
  if (inodes.length === 0) return null;
  const wanted = new Set(inodes.map((inode) => `socket:[${inode}]`));
  return pids().find((pid) => descriptorsOf(pid).some((target) => wanted.has(target))) ?? null;
}

/** Sockets that listen at a port, in lines of /proc/net/tcp. Pure. For tests. */
export function listeningInodes(lines: readonly string[], port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return lines.flatMap((line) => {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    return local?.endsWith(`:${hex}`) && state === LISTEN && inode !== undefined ? [inode] : [];
  });
}

const LISTEN = "0A";
/** Index of `utime` behind the command's name (proc(5)). */
const UTIME = 11;
/** USER_HZ is 100 on every Linux that Node runs on. */
const TICK_US = 10_000;

function pids(): number[] {
  try {
    return readdirSync("/proc").map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

function descriptorsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return "";
      }
    });
  } catch {
    return [];
  }
}

function readLines(file: string): string[] {
  try {
    return readFileSync(file, "latin1").split("\n");
  } catch {
    return [];
  }
}
