import { hash, randomUUID } from "node:crypto";
import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyOptions,
  jwtVerify,
  SignJWT,
} from "jose";
import type { Clock } from "#base/clock.ts";
import { messageOf } from "#base/errors.ts";
import { AuthError } from "./auth-error.ts";
import { SIGNING_ALGORITHM, type SigningKeys } from "./signing-keys.ts";
import type { IssuerKeys } from "./trusted-issuers.ts";

/** Longest access token, in characters; longer ones are refused unread. */
export const TOKEN_LENGTH_MAX = 16_384;

/** Signature algorithms accepted from trusted issuers. Asymmetric only: a public key can't be taken for a shared secret. */
const ISSUER_ALGORITHMS = [
  "EdDSA",
  "Ed25519",
  "ES256",
  "ES384",
  "ES512",
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
];
/** How far a trusted issuer's clock may be off, in seconds. */
const CLOCK_TOLERANCE_S = 5;

/** What our own tokens say. */
export interface OwnClaims {
  readonly user: string;
  readonly role: string;
  /** Null: a token of its own, such as a publisher's. */
  readonly sessionId: string | null;
  readonly ttlMs: number;
}

/** A token that was found good. Times in milliseconds since the Unix epoch. */
export interface VerifiedToken {
  /** `own`: signed by this gateway, with `role`. `other`: a trusted issuer's, with `authorization_details`. */
  readonly origin: "own" | "other";
  readonly subject: string;
  readonly tokenId: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  readonly payload: JWTPayload;
}

export interface TokenContext {
  readonly issuer: string;
  readonly audience: string;
  readonly keys: SigningKeys;
  readonly issuers: ReadonlyMap<string, IssuerKeys>;
  readonly clock: Clock;
  /** Whether trusted issuers' tokens may be of the older Mercure draft. Default false. */
  readonly mercure07?: boolean;
}

/** Signs an access token (RFC 9068). */
export async function signAccessToken(
  claims: OwnClaims,
  context: Pick<TokenContext, "issuer" | "audience" | "keys" | "clock">,
): Promise<{ token: string; verified: VerifiedToken }> {
  const issuedAtS = Math.floor(context.clock.nowMs() / 1000);
  const expiresAtS = issuedAtS + Math.max(1, Math.round(claims.ttlMs / 1000));
  const tokenId = randomUUID();
  const payload: JWTPayload = {
    iss: context.issuer,
    aud: context.audience,
    sub: claims.user,
    client_id: context.issuer,
    iat: issuedAtS,
    exp: expiresAtS,
    jti: tokenId,
    role: claims.role,
    ...(claims.sessionId === null ? {} : { sid: claims.sessionId }),
  };
  const token = await new SignJWT(payload)
    .setProtectedHeader({ alg: SIGNING_ALGORITHM, typ: "at+jwt", kid: context.keys.newest.kid })
    .sign(context.keys.newest.privateKey);
  const times = { issuedAtMs: issuedAtS * 1000, expiresAtMs: expiresAtS * 1000 };
  return { token, verified: { origin: "own", subject: claims.user, tokenId, ...times, payload } };
}

/**
 * Checks an access token as RFC 9068, section 4 and Mercure draft-08, "Token Validation" have it: type, algorithm
 * against a list of ours, signature by a key of the very issuer that it names, issuer, audience and times.
 *
 * @throws AuthError `invalid_token`, `token_expired`, `issuer_unreachable`
 */
export async function verifyAccessToken(token: string, context: TokenContext): Promise<VerifiedToken> {
  if (token.length > TOKEN_LENGTH_MAX) throw new AuthError("invalid_token", "the access token is too long");
  try {
    // Read before it is verified, only to choose whose keys it must then be verified with.
    const issuer = decodeJwt(token).iss;
    if (issuer === context.issuer) return await verifyOwn(token, context);
    const trusted = issuer === undefined ? undefined : context.issuers.get(issuer);
    if (trusted === undefined)
      throw new AuthError("invalid_token", "the access token's issuer is not trusted");
    return await verifyOther(token, trusted, context);
  } catch (error) {
    throw authErrorOf(error);
  }
}

async function verifyOwn(token: string, context: TokenContext): Promise<VerifiedToken> {
  const options = {
    ...optionsFor(context, context.clock),
    algorithms: [SIGNING_ALGORITHM],
    clockTolerance: 0,
  };
  let failure: unknown;
  for (const key of context.keys.candidates(decodeProtectedHeader(token).kid)) {
    try {
      return verifiedOf("own", (await jwtVerify(token, key.publicKey, options)).payload);
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error;
      failure = error;
    }
  }
  throw failure;
}

async function verifyOther(
  token: string,
  trusted: IssuerKeys,
  { clock, mercure07 }: TokenContext,
): Promise<VerifiedToken> {
  const isOld = mercure07 === true && isMercure07(token);
  const options = {
    ...(isOld ? optionsFor07(trusted, clock) : optionsFor(trusted, clock)),
    algorithms: ISSUER_ALGORITHMS,
    clockTolerance: CLOCK_TOLERANCE_S,
  };
  const claimsOf = (payload: JWTPayload) => (isOld ? completed07(token, payload) : payload);
  try {
    return verifiedOf("other", claimsOf((await jwtVerify(token, trusted.keys, options)).payload));
  } catch (error) {
    // Several of the issuer's keys fit a token without `kid`: the error hands them out one by one.
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    let failure: unknown = error;
    for await (const key of error) {
      try {
        return verifiedOf("other", claimsOf((await jwtVerify(token, key, options)).payload));
      } catch (mismatch) {
        if (!(mismatch instanceof errors.JWSSignatureVerificationFailed)) throw mismatch;
        failure = mismatch;
      }
    }
    throw failure;
  }
}

/** Whether the token is one of the older draft: it has the claim `mercure`, and a type that is none or says nothing. */
function isMercure07(token: string): boolean {
  const { typ } = decodeProtectedHeader(token);
  return decodeJwt(token).mercure !== undefined && (typ === undefined || /^(application\/)?jwt$/i.test(typ));
}

/** The older draft asks for no type and few claims; issuer, audience and expiry are checked all the same. */
function optionsFor07(expected: { issuer: string; audience: string }, clock: Clock): JWTVerifyOptions {
  const { typ: _, ...rest } = optionsFor(expected, clock);
  return { ...rest, requiredClaims: ["exp"] };
}

/** What such a token may lack: whose it is, and what it is revoked by. */
function completed07(token: string, payload: JWTPayload): JWTPayload {
  const jti = hash("sha256", token, "base64url");
  return { iat: 0, ...payload, sub: payload.sub || "mercure", jti: payload.jti ?? jti };
}

function optionsFor(expected: { issuer: string; audience: string }, clock: Clock): JWTVerifyOptions {
  return {
    typ: "at+jwt",
    issuer: expected.issuer,
    audience: expected.audience,
    requiredClaims: ["exp", "iat", "sub", "jti", "client_id"],
    currentDate: new Date(clock.nowMs()),
  };
}

function verifiedOf(origin: VerifiedToken["origin"], payload: JWTPayload): VerifiedToken {
  const { sub, jti, iat, exp } = payload;
  if (typeof sub !== "string" || typeof jti !== "string" || iat === undefined || exp === undefined) {
    throw new AuthError("invalid_token", "the access token lacks a claim of RFC 9068");
  }
  // Names that no user has: "" is anonymous, and a name in a log line must stay on its line.
  if (sub === "" || sub.length > 256 || jti.length > 256 || /\p{Cc}/u.test(sub)) {
    throw new AuthError("invalid_token", "the access token's sub or jti is empty, too long or not printable");
  }
  return { origin, subject: sub, tokenId: jti, issuedAtMs: iat * 1000, expiresAtMs: exp * 1000, payload };
}

function authErrorOf(error: unknown): unknown {
  if (error instanceof AuthError) return error;
  if (error instanceof errors.JWTExpired) {
    return new AuthError("token_expired", "the access token has expired: refresh it, or sign in again", {
      cause: error,
    });
  }
  if (error instanceof errors.JOSEError || error instanceof TypeError) {
    return new AuthError("invalid_token", `the access token is not valid: ${messageOf(error)}`, {
      cause: error,
    });
  }
  return error;
}
