import type { Session } from "./authenticator.ts";

/** A session as clients get it, over HTTP and over WebSocket: a token response (RFC 6749, section 5.1) and the role. */
export function sessionFields(session: Session) {
  return {
    access_token: session.accessToken,
    token_type: "Bearer",
    expires_in: session.expiresInS,
    refresh_token: session.refreshToken,
    role: session.role,
  } as const;
}
