import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** A process as the system sees it. Null where there is no /proc. */
export interface OutsideSample {
  readonly rssBytes: number;
  /** User and system time since its start, in milliseconds. */
  readonly cpuMs: number;
  /** Open descriptors by kind: `socket`, `pipe`, `anon_inode`, `file`. */
  readonly descriptors: Readonly<Record<string, number>>;
}

const PAGE_BYTES = 4096;
/** Clock ticks a second, which Linux tells user space as 100 on every architecture that Node runs on. */
const TICKS = 100;

export function sampleOutside(pid: number): OutsideSample | null {
  if (process.platform !== "linux") return null;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return {
      rssBytes: Number(fields[21]) * PAGE_BYTES,
      cpuMs: ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS,
      descriptors: descriptorsOf(pid),
    };
  } catch {
    return null;
  }
}

function descriptorsOf(pid: number): Record<string, number> {
  const kinds: Record<string, number> = {};
  const folder = `/proc/${pid}/fd`;
  for (const name of readdirSync(folder)) {
    let target: string;
    try {
      target = readlinkSync(`${folder}/${name}`);
    } catch {
      // It was closed meanwhile.
      continue;
    }
    const kind = /^(socket|pipe|anon_inode):/.exec(target)?.[1] ?? "file";
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  return kinds;
}
