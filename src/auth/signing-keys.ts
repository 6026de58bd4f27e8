import {
  type CryptoKey,
  calculateJwkThumbprint,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JSONWebKeySet,
  type JWK,
} from "jose";
import type { Clock } from "#base/clock.ts";
import type { KeyStore, SigningKeyRecord } from "./ports.ts";

/** RFC 8037: Ed25519. Small, fast, and without parameters to get wrong. */
export const SIGNING_ALGORITHM = "EdDSA";

export interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly publicJwk: JWK;
}

/** The gateway's own keys, newest first. Made on the very first start and kept since. */
export interface SigningKeys {
  readonly newest: SigningKey;
  /** The keys that may have signed a token with this `kid`: a hint, so without a match all of them. */
  candidates(kid: string | undefined): readonly SigningKey[];
  jwks(): JSONWebKeySet;
}

export async function openSigningKeys(store: KeyStore, clock: Clock): Promise<SigningKeys> {
  let records = await store.list();
  if (records.length === 0) {
    await store.addFirst(await newKey(clock));
    // Read again: another gateway on the same database may have been first.
    records = await store.list();
  }
  const keys = await Promise.all(records.map(keyOf));
  const [newest] = keys;
  if (newest === undefined) throw new Error("the database does not keep signing keys");
  const byKid = new Map(keys.map((key) => [key.kid, [key] as const]));
  const jwks = { keys: keys.map((key) => key.publicJwk) };
  return {
    newest,
    candidates: (kid) => (kid === undefined ? keys : (byKid.get(kid) ?? keys)),
    jwks: () => jwks,
  };
}

async function newKey(clock: Clock): Promise<SigningKeyRecord> {
  const { privateKey } = await generateKeyPair(SIGNING_ALGORITHM, { crv: "Ed25519", extractable: true });
  const jwk = await exportJWK(privateKey);
  return {
    kid: await calculateJwkThumbprint(jwk),
    algorithm: SIGNING_ALGORITHM,
    privateJwk: JSON.stringify(jwk),
    createdMs: clock.nowMs(),
  };
}

async function keyOf(record: SigningKeyRecord): Promise<SigningKey> {
  const { d: _, ...open } = JSON.parse(record.privateJwk) as JWK;
  const publicJwk: JWK = { ...open, kid: record.kid, alg: record.algorithm, use: "sig" };
  const [privateKey, publicKey] = await Promise.all([
    importJWK(JSON.parse(record.privateJwk) as JWK, record.algorithm),
    importJWK(open, record.algorithm),
  ]);
  return {
    kid: record.kid,
    privateKey: privateKey as CryptoKey,
    publicKey: publicKey as CryptoKey,
    publicJwk,
  };
}
