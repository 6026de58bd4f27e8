import { grantsFromTexts, NO_GRANTS } from "./grants.ts";
import type { Grants } from "./identity.ts";
import type { TrustedIssuer } from "./trusted-issuers.ts";

/** The section `auth` of the configuration. */
export interface AuthSettings {
  /** `iss` of our tokens. */
  readonly issuer: string;
  /** `aud` of our tokens. */
  readonly audience: string;
  readonly accessTokenTtlMs: number;
  /** From the sign-in or the last refresh on. */
  readonly refreshTokenTtlMs: number;
  readonly trustedIssuers: readonly TrustedIssuer[];
  readonly anonymous: { readonly subscribe: readonly string[] };
  readonly roles: Readonly<Record<string, RoleSettings>>;
}

/** Topics and patterns as `grantMatcher` reads them. */
export interface RoleSettings {
  readonly subscribe: readonly string[];
  readonly publish: readonly string[];
  readonly admin: boolean;
}

/** A role with its patterns compiled; all identities of the role share it. */
export interface Role {
  readonly name: string;
  readonly subscribe: Grants;
  readonly publish: Grants;
  readonly admin: boolean;
}

/** Throws `MatcherError` for a bad pattern. */
export function rolesOf(settings: Pick<AuthSettings, "roles">): ReadonlyMap<string, Role> {
  return new Map(
    Object.entries(settings.roles).map(([name, role]) => [
      name,
      {
        name,
        subscribe: grantsFromTexts(role.subscribe),
        publish: grantsFromTexts(role.publish),
        admin: role.admin,
      },
    ]),
  );
}

/** The identity of whoever shows nothing. */
export function anonymousOf(settings: Pick<AuthSettings, "anonymous">) {
  return {
    kind: "anonymous",
    user: "",
    role: null,
    subscribe: grantsFromTexts(settings.anonymous.subscribe),
    publish: NO_GRANTS,
    admin: false,
    tokenId: null,
    sessionId: null,
    expiresAtMs: null,
  } as const;
}
