/**
 * Who is signed in on this page. Tokens are kept for the tab only, so that a reload does not sign out; the page's content
 * security policy lets no script but its own read them.
 */
export interface Session {
  readonly user: string;
  readonly role: string;
  readonly admin: boolean;
}

interface Tokens {
  /** Of the session, the same as long as it lasts. */
  readonly id: string;
  readonly access: string;
  readonly refresh: string;
  readonly expiresAtMs: number;
}

const KEY = "streamkeeper.session";
/** A token is renewed when this share of its life is over. */
const RENEW_AT = 0.7;
/** How long a page that is loaded waits for the one before it to let go of the session, in milliseconds. */
const OWN_WITHIN_MS = 1000;

let tokens: Tokens | null = readTokens();
let renewing: Promise<boolean> | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;
let onOver: (why: string) => void = () => {};

/** Calls back when the session is over: revoked, expired, or its user disabled. */
export function whenOver(listener: (why: string) => void): void {
  onOver = listener;
}

export function accessToken(): string {
  return tokens?.access ?? "";
}

/**
 * The session that this tab had before a reload; null without one. Rejects when the gateway can't be reached. A browser that
 * duplicates a tab copies its tokens; were both to use them, the second one to renew would look like a thief, and end both.
 */
export async function restored(): Promise<Session | null> {
  if (tokens === null) return null;
  if (!(await own(tokens.id))) {
    forget();
    return null;
  }
  arm();
  return who();
}

/** @throws Error whose message is for people */
export async function signIn(login: string, password: string): Promise<Session> {
  const response = await post("/auth/login", { login, password });
  const answer = (await response.json()) as Record<string, unknown>;
  if (!response.ok) throw new Error(refusalText(response.status, answer));
  const id = crypto.getRandomValues(new Uint32Array(4)).join("-");
  await own(id);
  adopt(id, answer);
  const session = await who();
  if (session === null) throw new Error("The gateway did not take the token that it gave.");
  return session;
}

export async function signOut(): Promise<void> {
  const refresh = tokens?.refresh;
  forget();
  if (refresh !== undefined) await post("/auth/logout", { refresh_token: refresh }).catch(() => {});
}

/** A request with the access token; renewed once when it is refused. */
export async function authorised(path: string, init: RequestInit = {}): Promise<Response> {
  const ask = () => {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${accessToken()}`);
    return fetch(path, { ...init, headers, credentials: "omit" });
  };
  const response = await ask();
  if (response.status !== 401) return response;
  if (await renew()) return ask();
  return response;
}

async function who(): Promise<Session | null> {
  const response = await authorised("/auth/me");
  if (!response.ok) return null;
  const { user, role, admin } = (await response.json()) as Session;
  return { user, role, admin };
}

function renew(): Promise<boolean> {
  renewing ??= renewOnce().finally(() => {
    renewing = null;
  });
  return renewing;
}

async function renewOnce(): Promise<boolean> {
  if (tokens === null) return false;
  const { id } = tokens;
  const response = await post("/auth/refresh", { refresh_token: tokens.refresh });
  if (response.ok) {
    adopt(id, (await response.json()) as Record<string, unknown>);
    return true;
  }
  if (response.status < 500 && response.status !== 429) {
    forget();
    onOver("Your session is over. Sign in again.");
  }
  return false;
}

/** Whether this page alone has the session, from now on until it goes. Where the browser can't tell, it is taken to. */
function own(id: string): Promise<boolean> {
  const locks = navigator.locks as LockManager | undefined;
  if (locks === undefined) return Promise.resolve(true);
  return new Promise((resolve) => {
    locks
      .request(`${KEY}.${id}`, { signal: AbortSignal.timeout(OWN_WITHIN_MS) }, () => {
        resolve(true);
        return new Promise<never>(() => {});
      })
      .catch(() => resolve(false));
  });
}

function adopt(id: string, answer: Record<string, unknown>): void {
  tokens = {
    id,
    access: String(answer.access_token),
    refresh: String(answer.refresh_token),
    expiresAtMs: Date.now() + Number(answer.expires_in) * 1000,
  };
  sessionStorage.setItem(KEY, JSON.stringify(tokens));
  arm();
}

function forget(): void {
  tokens = null;
  clearTimeout(timer);
  sessionStorage.removeItem(KEY);
}

function arm(): void {
  clearTimeout(timer);
  if (tokens === null) return;
  const inMs = Math.max(1000, (tokens.expiresAtMs - Date.now()) * RENEW_AT);
  timer = setTimeout(() => void renew().catch(arm), Math.min(inMs, 2 ** 31 - 1));
}

function readTokens(): Tokens | null {
  try {
    const held = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as Tokens | null;
    const isWhole = [held?.id, held?.access, held?.refresh].every((text) => typeof text === "string");
    return isWhole ? held : null;
  } catch {
    return null;
  }
}

function post(path: string, body: object): Promise<Response> {
  return fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

function refusalText(status: number, answer: Record<string, unknown>): string {
  const told = typeof answer.error_description === "string" ? answer.error_description : `status ${status}`;
  return `${told.charAt(0).toUpperCase()}${told.slice(1)}.`;
}
