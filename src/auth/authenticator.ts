import type { JSONWebKeySet } from "jose";
import type { Tally } from "#base/counters.ts";
import type { AuthErrorCode, AuthMethod } from "./auth-error.ts";
import type { Identity, RevocationFilter } from "./identity.ts";

/** What a successful sign-in or refresh gives. */
export interface Session {
  readonly accessToken: string;
  /** Seconds that the access token is valid for. */
  readonly expiresInS: number;
  /** For one use; the next one comes with the next refresh. */
  readonly refreshToken: string;
  readonly role: string;
  readonly identity: Identity;
}

/** Where a request for credentials comes from. */
export interface Origin {
  /** The client's network address, as throttling counts it. */
  readonly address: string;
}

/** Turns credentials into identities. Every method that refuses throws `AuthError`. */
export interface Authenticator {
  /** Who shows nothing. Never the answer to bad credentials. */
  readonly anonymous: Identity;
  /** Failures by `method:code`, for the metric `auth_failures_total`. */
  readonly failures: Tally<`${AuthMethod}:${AuthErrorCode}`>;

  /** Checks an access token (RFC 9068): our own, or a trusted issuer's. */
  fromToken(token: string): Promise<Identity>;
  /**
   * The same identity with what it may do by now; itself where nothing changed; null when it may be here no longer:
   * its role is not configured any more, or it was revoked.
   */
  renewed(identity: Identity): Identity | null;
  /** Checks a name and password and begins a session. Takes the same time for a name that does not exist. */
  login(name: string, password: string, origin: Origin): Promise<Session>;
  /** Trades a refresh token for new tokens. A refresh token that was used before ends its session. */
  refresh(refreshToken: string, origin: Origin): Promise<Session>;
  /** Ends the session of the identity or the refresh token, or revokes the identity's one token. Unknown ones: nothing. */
  logout(who: Identity | string): Promise<void>;
  /** The public signing keys (RFC 7517). */
  jwks(): JSONWebKeySet;
  /** Calls back for every revocation, so that live connections can be closed. Dispose to stop. */
  onRevoked(listener: (filter: RevocationFilter) => void): Disposable;
}
