import { type Credentials, checkSignIn } from "../check/sign-in.ts";
import { StepFailure } from "../check/step.ts";
import { type CheckTarget, parseTarget } from "../check/target.ts";
import { type OwnGateway, startOwnGateway } from "./own-gateway/process.ts";
import { checkHost, checkPlan, type LoadPlan, LoadUsageError } from "./plan.ts";
import type { LoadRun } from "./run.ts";
import { listenerPid } from "./server-process.ts";
import { DIALECTS, type Dialect, isLoopback, type LoadTarget } from "./target.ts";

export interface LoadRequest {
  readonly plan: LoadPlan;
  /** Null: a gateway of its own. */
  readonly url: string | null;
  /** The user's word that the host is theirs. */
  readonly isOwnHost: boolean;
  /** What differs from the server kind's dialect. */
  readonly dialect: { readonly [Field in keyof Dialect]?: Dialect[Field] | undefined };
  /** A PEM file. */
  readonly ca: string | undefined;
  /** PEM files for a gateway of its own; null: plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | null;
  /** Null: found by its port, where the server is on this machine. */
  readonly pid: number | null;
  readonly credentials: Credentials | null;
  /** Read for tokens. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** What a run needs, with the gateway that was started for it. */
export interface OpenedLoad extends AsyncDisposable {
  readonly run: Pick<LoadRun, "plan" | "target" | "url" | "token" | "publishToken" | "pid">;
}

const SIGN_IN_MS_MAX = 10_000;

/**
 * Finds out where the load goes and with which tokens; starts a gateway where none is given.
 *
 * @throws LoadUsageError, CheckUsageError
 */
export async function openLoad(request: LoadRequest): Promise<OpenedLoad> {
  const { plan, environment } = request;
  checkPlan(plan);
  await using stack = new AsyncDisposableStack();
  const own = request.url === null ? stack.use(await ownGateway(request)) : null;
  const url = own?.url ?? (request.url as string);
  const address = parseTarget(url, request.ca);
  checkHost(address.host, request.isOwnHost);
  const signedIn = request.credentials === null ? undefined : await signIn(address, request.credentials);
  const token = own?.token ?? signedIn ?? environment.STREAMKEEPER_LOAD_TOKEN ?? null;
  const publishToken = environment.STREAMKEEPER_LOAD_PUBLISH_TOKEN ?? token;
  const pid = own?.pid ?? request.pid ?? (isLoopback(address.host) ? listenerPid(address.port) : null);
  const owned = stack.move();
  return {
    run: {
      plan,
      target: targetOf(address, request),
      url,
      token,
      publishToken: own?.token ?? publishToken,
      pid,
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function ownGateway({ plan, tls, credentials }: LoadRequest): Promise<OwnGateway> {
  if (plan.server !== "streamkeeper" || credentials !== null)
    throw new LoadUsageError(
      "bad_plan",
      "--server and --user need --url: the gateway that is started is our own, and empty",
    );
  return await startOwnGateway({ connections: plan.sse + plan.websocket + plan.publishers, tls });
}

function targetOf(address: CheckTarget, { plan, dialect }: LoadRequest): LoadTarget {
  const given = Object.fromEntries(Object.entries(dialect).filter(([, value]) => value !== undefined));
  const known: Dialect = { ...DIALECTS[plan.server], ...given };
  const base = address.url("/");
  const path = (of: string): string => address.url(of).pathname;
  return {
    secure: address.secure,
    host: address.host,
    port: address.port,
    servername: /^[\d.]+$|:/.test(address.host) ? "" : address.host,
    ca: address.ca,
    authority: base.host,
    dialect: {
      ...known,
      ssePath: path(known.ssePath),
      websocketPath: path(known.websocketPath),
      publishPath: path(known.publishPath),
    },
  };
}

async function signIn(target: CheckTarget, credentials: Credentials): Promise<string> {
  try {
    const { token } = await checkSignIn(target, credentials, AbortSignal.timeout(SIGN_IN_MS_MAX));
    return token;
  } catch (thrown) {
    if (!(thrown instanceof StepFailure)) throw thrown;
    throw new LoadUsageError("bad_plan", thrown.message, { cause: thrown });
  }
}
