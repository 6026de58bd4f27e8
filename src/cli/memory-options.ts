import { setFlagsFromString } from "node:v8";

/**
 * Node's options for a process that holds thousands of clients: a small young generation and a tight heap, so that the
 * memory that they took is given back when they go (docs/performance.md, "Memory"). `bin/streamkeeper` gives the same.
 */
const OPTIONS = ["--max-semi-space-size=4", "--heap-growing-percent=30"] as const;

/** What of it a running process can still be told; the first keeps the young generation about as small. */
const LATE_OPTIONS = ["--semi-space-growth-factor=1", "--heap-growing-percent=30"] as const;

/**
 * The same for the GNU C library, which reads them as the process starts; others do not. Left to itself it learns from
 * what is freed to keep up to 32 MB in each thread's pool: 100 MB after a few passwords were hashed.
 */
const ENVIRONMENT = {
  MALLOC_ARENA_MAX: "2",
  MALLOC_MMAP_THRESHOLD_: "131072",
  MALLOC_TRIM_THRESHOLD_: "131072",
} as const;

/** The process, as far as its memory's options go. */
export interface Invocation {
  readonly execPath: string;
  /** Node's options, as they were given. */
  readonly execArgv: readonly string[];
  /** The program and its arguments, Node's own path left out. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * How the program has to be started to have its memory options; null when it has them. A value that somebody chose, on
 * the command line, in `NODE_OPTIONS` or in the environment, stays. Pure; exported for tests.
 */
export function withMemoryOptions({
  execPath,
  execArgv,
  args,
  env,
}: Invocation): { readonly command: string[]; readonly env: Record<string, string> } | null {
  const given = new Set([...execArgv, ...(env.NODE_OPTIONS ?? "").split(/\s+/)].map(nameOf));
  const missing = OPTIONS.filter((option) => !given.has(nameOf(option)));
  const isWhole = Object.keys(ENVIRONMENT).every((name) => env[name] !== undefined);
  if (missing.length === 0 && isWhole) return null;
  const known = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    command: [execPath, ...missing, ...execArgv, ...args],
    env: { ...ENVIRONMENT, ...Object.fromEntries(known) },
  };
}

/**
 * Starts the program anew with its memory options, in the same process: pid, signals, standard streams and exit status
 * stay what they are. A process that has the options goes on, so this happens once. To be called before anything is
 * opened.
 */
export function ensureMemoryOptions(): void {
  const { execPath, execArgv, argv, env } = process;
  const started = withMemoryOptions({ execPath, execArgv, args: argv.slice(1), env });
  if (started === null) return;
  try {
    process.execve?.(execPath, started.command, started.env);
  } catch {
    // The system forbids it. What follows is nearly as good.
  }
  for (const option of LATE_OPTIONS) setFlagsFromString(option);
}

function nameOf(option: string): string {
  return option.replace(/=.*/s, "").replaceAll("_", "-");
}
