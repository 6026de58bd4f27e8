import { CodedError } from "#base/errors.ts";

/** Every way in which showing credentials fails. A closed list: metrics and documentation count on it. */
export const AuthErrorCode = {
  invalid_token: "invalid_token",
  token_expired: "token_expired",
  token_revoked: "token_revoked",
  wrong_credentials: "wrong_credentials",
  disabled: "disabled",
  too_many_attempts: "too_many_attempts",
  busy: "busy",
  invalid_refresh_token: "invalid_refresh_token",
  refresh_token_reused: "refresh_token_reused",
  issuer_unreachable: "issuer_unreachable",
} as const;
export type AuthErrorCode = (typeof AuthErrorCode)[keyof typeof AuthErrorCode];

/** How credentials were shown. */
export const AuthMethod = { password: "password", token: "token", refresh: "refresh" } as const;
export type AuthMethod = (typeof AuthMethod)[keyof typeof AuthMethod];

/** What each code means, for the documentation; messages say more. */
export const AUTH_ERRORS: Readonly<Record<AuthErrorCode, string>> = {
  invalid_token:
    "the access token is malformed, wrongly signed, of another issuer, audience or type, or grants something unreadable",
  token_expired: "the access token's time is over; refresh it or sign in again",
  token_revoked: "the access token's session was signed out, or its user disabled or removed",
  wrong_credentials: "no such user, or not that user's password; which of them is not told",
  disabled: "the user is disabled; an operator may run `streamkeeper user enable`",
  too_many_attempts:
    "too many sign-ins from this address failed, or are under way at once; wait as long as told",
  busy: "too many passwords are being checked at once; try again in a second",
  invalid_refresh_token: "the refresh token is unknown, malformed, expired or its session was signed out",
  refresh_token_reused:
    "a refresh token was used again after it had been replaced; its session is ended, since one of the two holders is a thief",
  issuer_unreachable: "the keys of the token's issuer cannot be fetched from its `jwksUri`",
};

export class AuthError extends CodedError<AuthErrorCode> {
  /** Seconds after which to try again, at least 1; null where trying again as it is does not help. */
  readonly retryAfterS: number | null;

  constructor(code: AuthErrorCode, message: string, options?: ErrorOptions & { retryAfterS?: number }) {
    super(code, message, options);
    this.retryAfterS = options?.retryAfterS ?? null;
  }
}
