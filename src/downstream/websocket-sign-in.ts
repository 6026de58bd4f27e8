import { AuthError, AuthErrorCode } from "#auth/auth-error.ts";
import type { Identity } from "#auth/identity.ts";
import { sessionFields } from "#auth/session-fields.ts";
import { messageOf } from "#base/errors.ts";
import { CentrifugeError } from "#protocol/centrifuge-codes.ts";
import type { Command } from "#protocol/centrifuge-command.ts";
import { CloseReason } from "#protocol/close-reason.ts";
import type { Desk } from "./desk.ts";
import type { SessionClient } from "./websocket-channel.ts";

type Of<Kind extends Command["kind"]> = Extract<Command, { kind: Kind }>;

/** How showing credentials ended. */
export type SignIn =
  | { readonly kind: "accepted"; readonly identity: Identity; readonly result: object }
  /** The reply is the error. */
  | { readonly kind: "refused"; readonly error: CentrifugeError }
  /** The connection ends. */
  | { readonly kind: "ended"; readonly reason: CloseReason; readonly detail: string };

/**
 * `connect`: by access token, by login and password in `data`, or as nobody. A login's reply holds the fields of
 * `POST /auth/login`; the client is not asked to refresh it, since only the application knows the refresh token: when
 * it is over the connection ends as expired, upon which an SDK connects with the same data again.
 */
export async function connect(desk: Desk, client: SessionClient, command: Of<"connect">): Promise<SignIn> {
  const { token, data } = command;
  const pings = pingFields(desk);
  if (token !== "") {
    return attempt(async () => {
      const identity = await desk.authenticator.fromToken(token);
      return (
        admit(desk, client, identity) ?? accept(client, identity, { ...pings, ...lifetimeOf(desk, identity) })
      );
    });
  }
  if (!isLogin(data)) {
    const { anonymous } = desk.authenticator;
    return admit(desk, client, anonymous) ?? accept(client, anonymous, pings);
  }
  if (typeof data.login !== "string" || typeof data.password !== "string") {
    return { kind: "refused", error: CentrifugeError.bad_request };
  }
  const { login, password } = data;
  return attempt(async () => {
    const session = await desk.authenticator.login(login, password, { address: client.address });
    // Whoever ends the user's sessions between the two finds no connection of this one yet.
    const refusal =
      desk.authenticator.renewed(session.identity) === null
        ? ({
            kind: "ended",
            reason: CloseReason.invalid_token,
            detail: "revoked during the sign-in",
          } as const)
        : admit(desk, client, session.identity);
    if (refusal === null) return accept(client, session.identity, { ...pings, data: sessionFields(session) });
    await forget(desk, client, session.identity);
    return refusal;
  });
}

/** `refresh`: a newer access token of the same user. */
export async function refresh(desk: Desk, client: SessionClient, command: Of<"refresh">): Promise<SignIn> {
  return attempt(async () => {
    const identity = await desk.authenticator.fromToken(command.token);
    if (client.closed !== null) return gone(client.closed);
    if (client.identity.kind === "anonymous" || identity.user !== client.identity.user) {
      return { kind: "ended", reason: CloseReason.invalid_token, detail: "the token is another user's" };
    }
    return accept(client, identity, lifetimeOf(desk, identity));
  });
}

/** What the codes of `auth` are in this protocol. Those that a new token can't mend by itself end the connection. */
async function attempt(run: () => Promise<SignIn>): Promise<SignIn> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof AuthError)) throw error;
    switch (error.code) {
      case AuthErrorCode.invalid_token:
      case AuthErrorCode.token_revoked:
        return { kind: "ended", reason: CloseReason.invalid_token, detail: error.code };
      case AuthErrorCode.token_expired:
        return { kind: "refused", error: CentrifugeError.token_expired };
      case AuthErrorCode.wrong_credentials:
      case AuthErrorCode.disabled:
        return { kind: "refused", error: CentrifugeError.permission_denied };
      case AuthErrorCode.too_many_attempts:
      case AuthErrorCode.busy:
        return { kind: "refused", error: CentrifugeError.too_many_requests };
      default:
        return { kind: "refused", error: CentrifugeError.internal };
    }
  }
}

/** Whether one more connection of this identity may be; null for yes. */
function admit(
  { registry, limits, isDraining }: Desk,
  client: SessionClient,
  identity: Identity,
): SignIn | null {
  if (client.closed !== null) return gone(client.closed);
  if (isDraining()) return { kind: "ended", reason: CloseReason.shutdown, detail: "draining" };
  if (registry.connectionsOf(identity) < limits.connectionsPerUser) return null;
  return {
    kind: "ended",
    reason: CloseReason.connection_limit,
    detail: "limits.connectionsPerUser is reached",
  };
}

/** In the same turn as `admit`, so that two connections of a user can't both take the last place. */
function accept(client: SessionClient, identity: Identity, fields: object): SignIn {
  client.identify(identity);
  return { kind: "accepted", identity, result: { client: client.id, ...fields } };
}

/** What `connect` tells of pings. Whole seconds: the protocol knows no others. */
function pingFields({ heartbeat }: Desk): object {
  return { ping: Math.max(1, Math.round(heartbeat.intervalMs / 1000)), pong: true };
}

function lifetimeOf(desk: Desk, { expiresAtMs }: Identity): object {
  if (expiresAtMs === null) return {};
  return { expires: true, ttl: Math.max(1, Math.floor((expiresAtMs - desk.clock.nowMs()) / 1000)) };
}

/** A session whose tokens reached nobody must not live on. */
async function forget(desk: Desk, client: SessionClient, identity: Identity): Promise<void> {
  try {
    await desk.authenticator.logout(identity);
  } catch (error) {
    desk.log.warn({ connection: client.id, error: messageOf(error) }, "ending an unused session failed");
  }
}

function gone(reason: CloseReason): SignIn {
  return { kind: "ended", reason, detail: "the client left meanwhile" };
}

function isLogin(data: unknown): data is { readonly login: unknown; readonly password: unknown } {
  return typeof data === "object" && data !== null && "login" in data && "password" in data;
}
