import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { base64url, exportJWK, exportSPKI, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import { VirtualClock } from "#base/virtual-clock.ts";
import { signAccessToken, TOKEN_LENGTH_MAX, type TokenContext, verifyAccessToken } from "./access-token.ts";
import { AuthError, type AuthErrorCode } from "./auth-error.ts";
import type { KeyStore, SigningKeyRecord } from "./ports.ts";
import { openSigningKeys } from "./signing-keys.ts";
import { issuerKeys } from "./trusted-issuers.ts";

function memoryKeys(): KeyStore {
  const kept: SigningKeyRecord[] = [];
  return {
    list: async () => [...kept],
    addFirst: async (key) => {
      if (kept.length === 0) kept.push(key);
    },
  };
}

const OTHER = "https://issuer.example";
const THIRD = "https://third.example";
const clock = new VirtualClock();
const nowS = () => Math.floor(clock.nowMs() / 1000);
const es256 = await generateKeyPair("ES256", { extractable: true });
const third = await generateKeyPair("EdDSA", { extractable: true });
const rsa = await generateKeyPair("RS256", { extractable: true });

let server: Server;
let jwksRequests = 0;
let jwksStatus = 200;
let context: TokenContext;

before(async () => {
  const jwk = async (key: CryptoKey, kid: string): Promise<JWK> => ({ ...(await exportJWK(key)), kid });
  const sets: Record<string, { keys: JWK[] }> = {
    "/other": { keys: [await jwk(es256.publicKey, "e1"), await jwk(rsa.publicKey, "r1")] },
    "/third": { keys: [await jwk(third.publicKey, "t1")] },
  };
  server = createServer((request, response) => {
    jwksRequests++;
    response.writeHead(jwksStatus, { "content-type": "application/json", connection: "close" });
    response.end(jwksStatus === 200 ? JSON.stringify(sets[request.url ?? ""]) : "");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const trusted = (issuer: string, path: string) =>
    issuerKeys({ issuer, jwksUri: `${base}${path}`, audience: "https://gw.example/hub" }, clock);
  context = {
    issuer: "streamkeeper",
    audience: "streamkeeper",
    keys: await openSigningKeys(memoryKeys(), clock),
    issuers: new Map([
      [OTHER, trusted(OTHER, "/other")],
      [THIRD, trusted(THIRD, "/third")],
    ]),
    clock,
  };
});
after(() => new Promise((resolve) => server.close(resolve)));

async function refused(
  token: string,
  code: AuthErrorCode = "invalid_token",
  by: TokenContext = context,
): Promise<void> {
  await assert.rejects(verifyAccessToken(token, by), (error) => {
    assert.ok(error instanceof AuthError, String(error));
    assert.equal(error.code, code, error.message);
    assert.ok(token.length < 40 || !error.message.includes(token.slice(0, 40)), "no token in a message");
    return true;
  });
}

const ownClaims = { user: "ada", role: "trader", sessionId: "s1", ttlMs: 900_000 };
const own = async () => (await signAccessToken(ownClaims, context)).token;

/** An own token's claims, signed with our own key, changed as an attacker could not: to see each check by itself. */
async function ownWith(
  payload: Partial<JWTPayload>,
  header: { alg?: string; typ?: string | undefined } = {},
): Promise<string> {
  const { verified } = await signAccessToken(ownClaims, context);
  return new SignJWT({ ...verified.payload, ...payload })
    .setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", ...header } as { alg: string })
    .sign(context.keys.newest.privateKey);
}

function otherWith(
  payload: Readonly<Record<string, unknown>> = {},
  header: Record<string, unknown> = {},
  key = es256.privateKey,
): Promise<string> {
  return new SignJWT({
    iss: OTHER,
    aud: "https://gw.example/hub",
    sub: "grace",
    client_id: "app",
    iat: nowS(),
    exp: nowS() + 300,
    jti: "j1",
    ...payload,
  })
    .setProtectedHeader({ alg: "ES256", typ: "at+jwt", kid: "e1", ...header })
    .sign(key);
}

const unsigned = (header: object, payload: object): string =>
  `${base64url.encode(JSON.stringify(header))}.${base64url.encode(JSON.stringify(payload))}`;

test("own token: has every claim of RFC 9068, and is found good", async () => {
  const { token, verified } = await signAccessToken(ownClaims, context);
  const again = await verifyAccessToken(token, context);
  assert.deepEqual(again, verified);
  const { iss, aud, sub, client_id, role, sid } = verified.payload;
  assert.deepEqual(
    { iss, aud, sub, client_id, role, sid },
    {
      iss: "streamkeeper",
      aud: "streamkeeper",
      sub: "ada",
      client_id: "streamkeeper",
      role: "trader",
      sid: "s1",
    },
  );
  assert.equal(verified.expiresAtMs - verified.issuedAtMs, 900_000);
  assert.match(verified.tokenId, /^[0-9a-f-]{36}$/);
});

test("own token: good to its last second and not a moment longer", async () => {
  const token = await own();
  clock.advance(899_000);
  await verifyAccessToken(token, context);
  clock.advance(1_000);
  await refused(token, "token_expired");
});

test("keys: kept and found again, so that tokens outlive a restart; another gateway's tokens are not ours", async () => {
  const store = memoryKeys();
  const first = { ...context, keys: await openSigningKeys(store, clock) };
  const { token } = await signAccessToken(ownClaims, first);
  const restarted = { ...context, keys: await openSigningKeys(store, clock) };
  assert.equal((await verifyAccessToken(token, restarted)).subject, "ada");
  await refused(token);
});

test("keys: what is published holds no private part", async () => {
  const { keys } = context.keys.jwks();
  assert.equal(keys.length, 1);
  assert.deepEqual(Object.keys(keys[0] ?? {}).sort(), ["alg", "crv", "kid", "kty", "use", "x"]);
});

test("attack, alg none: refused, with and without the empty signature", async () => {
  const { verified } = await signAccessToken(ownClaims, context);
  for (const alg of ["none", "None", "NONE", ""]) {
    const body = unsigned({ alg, typ: "at+jwt" }, verified.payload);
    await refused(`${body}.`);
    await refused(body);
  }
});

test("attack, key confusion: our public key used as an HMAC secret is refused, in any form of it", async () => {
  const { verified } = await signAccessToken(ownClaims, context);
  const body = unsigned({ alg: "HS256", typ: "at+jwt", kid: context.keys.newest.kid }, verified.payload);
  const { publicKey, publicJwk } = context.keys.newest;
  for (const secret of [
    await exportSPKI(publicKey),
    publicJwk.x ?? "",
    Buffer.from(publicJwk.x ?? "", "base64url"),
  ]) {
    await refused(`${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`);
  }
});

test("attack, a key that the token brings itself: jwk and jku in the header are never used", async () => {
  const forged = await generateKeyPair("EdDSA", { extractable: true });
  const { verified } = await signAccessToken(ownClaims, context);
  const jwk = await exportJWK(forged.publicKey);
  const header = { alg: "EdDSA", typ: "at+jwt", jwk, jku: "http://127.0.0.1:1/jwks" };
  await refused(await new SignJWT(verified.payload).setProtectedHeader(header).sign(forged.privateKey));
});

test("attack, wrong typ: an ID token or any other JWT of ours is no access token", async () => {
  for (const typ of ["JWT", "id+jwt", "at+jwtx", "text/at+jwt", undefined])
    await refused(await ownWith({}, { typ }));
  for (const typ of ["at+jwt", "AT+JWT", "application/at+jwt"])
    await verifyAccessToken(await ownWith({}, { typ }), context);
});

test("attack, tampering: any changed part is refused", async () => {
  const [header = "", , signature = ""] = (await own()).split(".");
  const { verified } = await signAccessToken(ownClaims, context);
  const payload = base64url.encode(JSON.stringify({ ...verified.payload, role: "admin" }));
  await refused(`${header}.${payload}.${signature}`);
  await refused(`${await own()}x`);
  await refused((await own()).slice(0, -4));
});

test("attack, other audience, issuer or time: each is refused", async () => {
  await refused(await ownWith({ aud: "another gateway" }));
  await refused(await ownWith({ iss: "another" }));
  await refused(await ownWith({ iss: "STREAMKEEPER" }));
  await refused(await ownWith({ nbf: nowS() + 60 }));
  await refused(await ownWith({ exp: nowS() - 1 }), "token_expired");
});

test("attack, missing claims: a token without exp, sub, jti, iat or client_id is refused", async () => {
  for (const claim of ["exp", "sub", "jti", "iat", "client_id", "aud", "iss"]) {
    await refused(await ownWith({ [claim]: undefined }));
  }
  await refused(await ownWith({ sub: "" }));
  await refused(await ownWith({ sub: "ada\nlevel=info" }));
});

test("attack, unread garbage: no input is more than invalid", async () => {
  for (const text of ["", ".", "..", "a.b.c", "....", "eyJhbGciOiJFZERTQSJ9.e30.", "\0", "💥.💥.💥"])
    await refused(text);
  await refused("x".repeat(TOKEN_LENGTH_MAX + 1));
});

test("trusted issuer: its tokens are found good, by kid, and its keys are fetched once", async () => {
  const requests = jwksRequests;
  const verified = await verifyAccessToken(await otherWith(), context);
  assert.equal(verified.origin, "other");
  assert.equal(verified.subject, "grace");
  await verifyAccessToken(await otherWith({}, { alg: "RS256", kid: "r1" }, rsa.privateKey), context);
  await verifyAccessToken(await otherWith({}, { kid: undefined }), context);
  assert.equal(jwksRequests - requests, 1);
});

test("attack, other issuer: one trusted issuer cannot speak for another, nor for us", async () => {
  const header = { alg: "EdDSA", kid: "t1" };
  await verifyAccessToken(await otherWith({ iss: THIRD }, header, third.privateKey), context);
  await refused(await otherWith({ iss: OTHER }, header, third.privateKey));
  await refused(
    await otherWith({ iss: "streamkeeper", aud: "streamkeeper", role: "admin" }, header, third.privateKey),
  );
  await refused(await otherWith({ iss: "https://unknown.example" }));
  await refused(await otherWith({ iss: undefined }));
});

test("attack, algorithm: an issuer's HMAC token, signed with its public key, is refused", async () => {
  const body = unsigned(
    { alg: "HS256", typ: "at+jwt", kid: "r1" },
    {
      iss: OTHER,
      aud: "https://gw.example/hub",
      sub: "x",
      client_id: "x",
      iat: nowS(),
      exp: nowS() + 60,
      jti: "x",
    },
  );
  const secret = await exportSPKI(rsa.publicKey);
  await refused(`${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`);
});

test("trusted issuer: expired, for another audience, or of an unknown key", async () => {
  await refused(await otherWith({ exp: nowS() - 10 }), "token_expired");
  await refused(await otherWith({ aud: "streamkeeper" }));
  await refused(await otherWith({}, { kid: "unknown" }));
});

test("trusted issuer: keys that cannot be had are told as such, and not asked for again at once", async () => {
  const { port } = server.address() as AddressInfo;
  const issuer = "https://down.example";
  const keys = issuerKeys(
    { issuer, jwksUri: `http://127.0.0.1:${port}/other`, audience: "https://gw.example/hub" },
    clock,
  );
  const failing: TokenContext = { ...context, issuers: new Map([[issuer, keys]]) };
  const token = await otherWith({ iss: issuer });
  jwksStatus = 503;
  const requests = jwksRequests;
  for (let at = 0; at < 20; at++) await refused(token, "issuer_unreachable", failing);
  assert.equal(jwksRequests - requests, 1);
  jwksStatus = 200;
  clock.advance(5_001);
  assert.equal((await verifyAccessToken(token, failing)).subject, "grace");
});

test("other issuer: a token of the older Mercure draft is taken where that is switched on, and there only", async () => {
  const old: TokenContext = { ...context, mercure07: true };
  const bare = {
    mercure: { subscribe: ["*"] },
    sub: undefined,
    jti: undefined,
    client_id: undefined,
    iat: undefined,
  };
  for (const typ of ["JWT", undefined, "application/jwt"]) {
    const verified = await verifyAccessToken(await otherWith(bare, { typ }), old);
    assert.equal(verified.subject, "mercure");
    assert.equal(verified.tokenId.length, 43);
    await refused(await otherWith(bare, { typ }));
  }
  await verifyAccessToken(await otherWith(), old);
});

test("attack, other issuer: a token of the older draft is checked for issuer, audience, expiry and type all the same", async () => {
  const old: TokenContext = { ...context, mercure07: true };
  const claim = { mercure: { subscribe: ["*"] } };
  await refused(await otherWith({ ...claim, iss: undefined }, { typ: "JWT" }), "invalid_token", old);
  await refused(
    await otherWith({ ...claim, aud: "https://elsewhere" }, { typ: "JWT" }),
    "invalid_token",
    old,
  );
  await refused(await otherWith({ ...claim, exp: undefined }, { typ: "JWT" }), "invalid_token", old);
  await refused(await otherWith({ ...claim, exp: nowS() - 60 }, { typ: "JWT" }), "token_expired", old);
  await refused(await otherWith(claim, { typ: "logout+jwt" }), "invalid_token", old);
  await refused(await otherWith({}, { typ: "JWT" }), "invalid_token", old);
  await refused(
    await otherWith(claim, { typ: "JWT", alg: "EdDSA", kid: "t1" }, third.privateKey),
    "invalid_token",
    old,
  );
});
