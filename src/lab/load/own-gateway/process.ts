import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { issueToken } from "#app/accounts-desk.ts";
import { loadConfig } from "#config/load.ts";
import { LoadUsageError } from "../plan.ts";

/** A gateway of its own for a load: a real process on loopback, with an empty database, and limits that are out of the way. */
export interface OwnGateway extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** May subscribe to and publish what a load does. */
  readonly token: string;
}

export interface OwnGatewayOptions {
  /** Of one user and one address. */
  readonly connections: number;
  /** PEM files of the certificate and its key; null: plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  /** More of its configuration, as YAML. Default none. */
  readonly more?: string;
  /** Options of Node for its process, such as `--max-old-space-size=96`. Default none. */
  readonly nodeOptions?: readonly string[];
}

const START_MS_MAX = 20_000;
const END_MS_MAX = 10_000;
const TOKEN_TTL_MS = 7 * 86_400_000;
const ROLE = "load";

/** @throws LoadUsageError `no_gateway`, as for a certificate that is not good */
export async function startOwnGateway(options: OwnGatewayOptions): Promise<OwnGateway> {
  const folder = mkdtempSync(join(tmpdir(), "streamkeeper-load-"));
  try {
    const file = join(folder, "streamkeeper.yaml");
    writeFileSync(file, configOf(folder, options));
    const issued = await issueToken(loadConfig(file), { role: ROLE, name: ROLE, ttlMs: TOKEN_TTL_MS });
    const unbuilt = import.meta.url.endsWith(".ts");
    const child = fork(fileURLToPath(new URL(unbuilt ? "./main.ts" : "./main.js", import.meta.url)), [file], {
      execArgv: [...(unbuilt ? ["--conditions=streamkeeper-source"] : []), ...(options.nodeOptions ?? [])],
      // Its log is written, since that is part of its work, and not shown.
      stdio: ["ignore", "ignore", "ignore", "ipc"],
    });
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    const url = await listening(child, ended);
    return {
      url,
      pid: child.pid as number,
      token: issued.access_token,
      [Symbol.asyncDispose]: async () => {
        if (child.connected) child.disconnect();
        const hard = setTimeout(() => child.kill("SIGKILL"), END_MS_MAX);
        await ended;
        clearTimeout(hard);
        rmSync(folder, { recursive: true, force: true });
      },
    };
  } catch (thrown) {
    rmSync(folder, { recursive: true, force: true });
    throw thrown;
  }
}

async function listening(child: ChildProcess, ended: Promise<void>): Promise<string> {
  let deadline: NodeJS.Timeout | undefined;
  try {
    return await new Promise<string>((listens, reject) => {
      const fail = (why: string): void =>
        reject(new LoadUsageError("no_gateway", `the gateway for the load ${why}`));
      deadline = setTimeout(() => fail(`did not start within ${START_MS_MAX / 1000} s`), START_MS_MAX);
      child.once("message", (message) => {
        const { url, fault } = message as { url?: string; fault?: string };
        if (url === undefined) fail(`did not start: ${fault}`);
        else listens(url);
      });
      child.once("error", reject);
      void ended.then(() => fail("ended at its start"));
    });
  } catch (thrown) {
    child.kill("SIGKILL");
    throw thrown;
  } finally {
    clearTimeout(deadline);
  }
}

function configOf(folder: string, { connections, tls, more }: OwnGatewayOptions): string {
  const count = connections + 100;
  return `
listen: { host: 127.0.0.1, port: 0 }
${tls === null ? "" : `tls: { cert: ${JSON.stringify(resolve(tls.cert))}, key: ${JSON.stringify(resolve(tls.key))} }`}
database: ${JSON.stringify(`sqlite:${join(folder, "load.db")}`)}
auth:
  roles: { ${ROLE}: { subscribe: ["/load/*"], publish: ["/load/*"] } }
limits: { connections: ${count}, connectionsPerUser: ${count}, connectionsPerAddress: ${count} }
${more ?? ""}
`;
}
