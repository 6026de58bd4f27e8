import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What a benchmark needs and this machine has not. The text says what to install. */
export class Missing extends Error {}

/** What the machine offers: tools, cores to pin to, and a folder that is gone at the end. */
export class Machine implements Disposable {
  /** Path of `bench/`, with a slash at its end. */
  readonly bench = fileURLToPath(new URL("../", import.meta.url));
  readonly folder = mkdtempSync(join(tmpdir(), "streamkeeper-bench-"));
  readonly #taskset = which("taskset");
  readonly #built = new Map<string, string>();

  /** Whether servers and load have a core each. */
  get isPinned(): boolean {
    return this.#taskset !== null && availableParallelism() >= 2;
  }

  /** A command line on one core: 0 for servers, 1 for the load. */
  pin(core: 0 | 1, command: readonly string[]): readonly string[] {
    return this.isPinned ? [this.#taskset as string, "-c", String(core), ...command] : command;
  }

  /** Compiles one of our C files, once a run. Throws `Missing` without a compiler. */
  build(source: string): string {
    const known = this.#built.get(source);
    if (known !== undefined) return known;
    const compiler = which("cc");
    if (compiler === null) throw new Missing("needs a C compiler (cc)");
    const program = join(this.folder, source.replaceAll(/[/.]/g, "-"));
    execFileSync(compiler, ["-O2", "-o", program, join(this.bench, source)], { stdio: "inherit" });
    this.#built.set(source, program);
    return program;
  }

  /** nginx and the path of its module nchan. Throws `Missing`. */
  nchan(): { readonly nginx: string; readonly module: string } {
    const nginx = which("nginx") ?? ["/usr/sbin/nginx", "/usr/local/sbin/nginx"].find(existsSync);
    const module = ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules"]
      .map((folder) => join(folder, "ngx_nchan_module.so"))
      .find(existsSync);
    if (nginx === undefined || module === undefined)
      throw new Missing("needs nginx with nchan (Debian: nginx, libnginx-mod-nchan)");
    return { nginx, module };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export type MemoryKind = "Pss" | "Rss";

/** Memory of a process and its children, in bytes. */
export function memoryBytes(pid: number, kind: MemoryKind): number {
  return processTree(pid).reduce((sum, each) => {
    const text = readFileSync(`/proc/${each}/smaps_rollup`, "latin1");
    return sum + Number(new RegExp(`^${kind}: +(\\d+)`, "m").exec(text)?.[1] ?? 0) * 1024;
  }, 0);
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right);
  const middle = Math.floor(sorted.length / 2);
  const high = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? high : (high + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** A process and its children. */
export function processTree(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "latin1")
      .trim()
      .split(" ")
      .filter(Boolean)
      .map(Number),
  );
  return [pid, ...children.flatMap(processTree)];
}

function which(name: string): string | null {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return join(folder, name);
    } catch {
      // Not in this folder.
    }
  }
  return null;
}
