/** Sizes and durations as people write them. Each parser answers null for what it cannot read. */

const BYTES: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

const DURATIONS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1e3,
  m: 60e3,
  h: 3600e3,
  d: 86400e3,
};

/** `64KiB`, `1.5 MB`, `4096` → whole bytes. */
export function parseBytes(text: string): number | null {
  const value = parseWithUnit(text, BYTES);
  return value === null ? null : Math.round(value);
}

/** `250ms`, `30s`, `15m`, `12h`, `30d`, `1h30m` → milliseconds. A unit is required: `30` alone is ambiguous. */
export function parseDurationMs(text: string): number | null {
  const parts = [...text.trim().matchAll(/(\d+(?:\.\d+)?)\s*(ms|[smhd])\s*/gy)];
  if (parts.length === 0 || parts.reduce((length, part) => length + part[0].length, 0) !== text.trim().length)
    return null;
  return parts.reduce((sum, part) => sum + Number(part[1]) * (DURATIONS_MS[part[2] as string] as number), 0);
}

/** 65536 → `64KiB`; the largest binary unit that stays exact. */
export function formatBytes(bytes: number): string {
  for (const unit of ["GiB", "MiB", "KiB"] as const) {
    const size = BYTES[unit] as number;
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`;
  }
  return `${bytes}B`;
}

/** 900000 → `15m`; the largest unit that stays exact. */
export function formatDurationMs(ms: number): string {
  for (const unit of ["d", "h", "m", "s"] as const) {
    const length = DURATIONS_MS[unit] as number;
    if (ms >= length && ms % length === 0) return `${ms / length}${unit}`;
  }
  return `${ms}ms`;
}

function parseWithUnit(text: string, units: Readonly<Record<string, number>>): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text.trim());
  const unit = match === null ? undefined : units[match[2] as string];
  return match === null || unit === undefined ? null : Number(match[1]) * unit;
}
