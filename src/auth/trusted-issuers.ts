import { type CryptoKey, createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from "jose";
import type { Clock } from "#base/clock.ts";
import { messageOf } from "#base/errors.ts";
import { AuthError } from "./auth-error.ts";

export interface TrustedIssuer {
  /** `iss` of its tokens, compared exactly. */
  readonly issuer: string;
  /** Where its public keys are (RFC 7517). */
  readonly jwksUri: string;
  /** What its tokens must name in `aud`. */
  readonly audience: string;
}

/** An issuer's keys, fetched when first needed and when a token names one that is not known. */
export interface IssuerKeys extends TrustedIssuer {
  readonly keys: JWTVerifyGetKey;
}

const FETCH_TIMEOUT_MS = 5_000;
const JWKS_BYTES_MAX = 256 * 1024;
/** After a failed fetch, tokens are refused at once for this long: bad tokens must not make us a hammer. */
const FAILURE_PAUSE_MS = 5_000;
/** An unknown `kid` fetches again no sooner than this. */
const COOLDOWN_MS = 30_000;
const CACHE_MS_MAX = 600_000;

export function issuerKeys(trusted: TrustedIssuer, clock: Clock): IssuerKeys {
  let pausedUntilMs = Number.NEGATIVE_INFINITY;
  const fetchKeys = async (
    url: string,
    options: { headers: Headers; signal: AbortSignal },
  ): Promise<Response> => {
    if (clock.monotonicMs() < pausedUntilMs) throw new Error("it could not be fetched a moment ago");
    try {
      const response = await fetch(url, {
        headers: options.headers,
        redirect: "manual",
        signal: options.signal,
      });
      if (response.status !== 200) {
        await response.body?.cancel();
        throw new Error(`it answers ${response.status}`);
      }
      return new Response(await boundedBody(response), {
        status: 200,
        headers: { "content-type": "application/json" },
      });
    } catch (error) {
      pausedUntilMs = clock.monotonicMs() + FAILURE_PAUSE_MS;
      throw error;
    }
  };
  const remote = createRemoteJWKSet(new URL(trusted.jwksUri), {
    timeoutDuration: FETCH_TIMEOUT_MS,
    cooldownDuration: COOLDOWN_MS,
    cacheMaxAge: CACHE_MS_MAX,
    [customFetch]: fetchKeys,
  });
  const keys = async (...wanted: Parameters<JWTVerifyGetKey>): Promise<CryptoKey> => {
    try {
      return await remote(...wanted);
    } catch (error) {
      const aboutTheToken =
        error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys;
      if (aboutTheToken || error instanceof errors.JOSENotSupported) throw error;
      throw new AuthError(
        "issuer_unreachable",
        `the keys of ${trusted.issuer} cannot be had from its jwksUri: ${messageOf(error)}`,
        { cause: error, retryAfterS: FAILURE_PAUSE_MS / 1000 },
      );
    }
  };
  return { ...trusted, keys };
}

async function boundedBody(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > JWKS_BYTES_MAX) throw new Error(`it is larger than ${JWKS_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
