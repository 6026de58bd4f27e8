import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fastify, { type FastifyInstance, type LightMyRequestResponse } from "fastify";
import { authRoutes } from "#auth/http-routes.ts";
import { type OpenedAuth, openAuth } from "./opened.ts";

let auth: OpenedAuth;
let app: FastifyInstance;
let address = 0;

before(async () => {
  auth = await openAuth();
  app = fastify();
  await app.register(authRoutes, {
    authenticator: auth.authenticator,
    addressOf: () => `192.0.2.${address}`,
    origins: new Set(["https://app.example.com"]),
  });
});
after(async () => {
  await app.close();
  await auth[Symbol.asyncDispose]();
});

const HOST = { host: "gw.example" };
const post = (
  url: string,
  payload: object | string,
  headers: Record<string, string> = {},
): Promise<LightMyRequestResponse> =>
  app.inject({ method: "POST", url, payload, headers: { ...HOST, ...headers } });
const me = (headers: Record<string, string>) =>
  app.inject({ url: "/auth/me", headers: { ...HOST, ...headers } });
const signIn = async () => (await post("/auth/login", { login: "ada", password: "correct horse" })).json();
const cookieOf = (token: string) => ({ cookie: `a=b; __Secure-mercure_access_token=${token}` });

test("login: answers with OAuth's field names and sets the cookie for browsers", async () => {
  const response = await post("/auth/login", { login: "ada", password: "correct horse" });
  assert.equal(response.statusCode, 200);
  assert.equal(response.headers["cache-control"], "no-store");
  const body = response.json();
  assert.deepEqual(Object.keys(body), ["access_token", "token_type", "expires_in", "refresh_token", "role"]);
  assert.deepEqual([body.token_type, body.expires_in, body.role], ["Bearer", 900, "trader"]);
  assert.equal(
    response.headers["set-cookie"],
    `__Secure-mercure_access_token=${body.access_token}; Path=/; Max-Age=900; Secure; HttpOnly; SameSite=Strict`,
  );
});

test("login: takes forms as well, and username for login", async () => {
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  for (const name of ["login", "username"]) {
    const response = await post("/auth/login", `${name}=ada&password=correct+horse`, headers);
    assert.equal(response.statusCode, 200);
  }
});

test("login: a wrong password is invalid_grant, and sets no cookie", async () => {
  const response = await post("/auth/login", { login: "ada", password: "wrong" });
  assert.equal(response.statusCode, 400);
  assert.deepEqual(response.json(), {
    error: "invalid_grant",
    error_description: "wrong user name or password",
  });
  assert.equal(response.headers["set-cookie"], undefined);
  assert.equal(response.headers["cache-control"], "no-store");
});

test("login: bad bodies get a clear error in the same fields", async () => {
  const cases: [payload: object | string, headers: Record<string, string>, status: number][] = [
    [{}, {}, 400],
    [{ login: "ada" }, {}, 400],
    [{ login: { $ne: null }, password: ["x"] }, {}, 400],
    [[], {}, 400],
    ["{", { "content-type": "application/json" }, 400],
    ["", { "content-type": "application/json" }, 400],
    ['{"__proto__":{"login":"ada"}}', { "content-type": "application/json" }, 400],
    ["login=ada", { "content-type": "text/plain" }, 400],
    ["<login/>", { "content-type": "application/xml" }, 415],
    [{ login: "ada", password: "x".repeat(20_000) }, {}, 413],
    [
      `login=ada&password=${"x".repeat(20_000)}`,
      { "content-type": "application/x-www-form-urlencoded" },
      413,
    ],
  ];
  for (const [payload, headers, status] of cases) {
    const response = await post("/auth/login", payload, headers);
    const body = response.json();
    assert.equal(response.statusCode, status, response.body);
    assert.equal(body.error, "invalid_request", response.body);
    assert.equal(typeof body.error_description, "string");
  }
});

test("login: too many failures are 429 with Retry-After", async () => {
  address = 99;
  try {
    for (let at = 0; at < 10; at++) await post("/auth/login", { login: "ada", password: "wrong" });
    const response = await post("/auth/login", { login: "ada", password: "correct horse" });
    assert.equal(response.statusCode, 429);
    assert.ok(Number(response.headers["retry-after"]) > 0);
    assert.equal(response.json().error, "temporarily_unavailable");
  } finally {
    address = 0;
  }
});

test("refresh: gives new tokens and cookie; the old one, later, is invalid_grant", async () => {
  const first = await signIn();
  const response = await post("/auth/refresh", { refresh_token: first.refresh_token });
  assert.equal(response.statusCode, 200);
  assert.match(String(response.headers["set-cookie"]), /^__Secure-mercure_access_token=ey/);
  assert.notEqual(response.json().refresh_token, first.refresh_token);
  auth.clock.advance(11_000);
  const reused = await post("/auth/refresh", { refresh_token: first.refresh_token });
  assert.deepEqual([reused.statusCode, reused.json().error], [400, "invalid_grant"]);
  assert.equal((await post("/auth/refresh", {})).json().error, "invalid_request");
});

test("me: tells who one is by header or cookie; the header wins", async () => {
  const { access_token: token } = await signIn();
  const body = (await me({ authorization: `Bearer ${token}` })).json();
  assert.deepEqual(body, {
    user: "ada",
    kind: "user",
    role: "trader",
    admin: false,
    expires_at: body.expires_at,
    subscribe: ["/quotes/*"],
    publish: [],
  });
  assert.ok(Date.parse(body.expires_at) > auth.clock.nowMs());
  assert.equal((await me(cookieOf(token))).json().user, "ada");
  assert.equal((await me({ ...cookieOf(token), authorization: "Bearer broken" })).statusCode, 401);
});

test("me: no token is a bare challenge, a bad one is invalid_token, never anonymous", async () => {
  const bare = await me({});
  assert.equal(bare.statusCode, 401);
  assert.doesNotMatch(String(bare.headers["www-authenticate"]), /error=/);
  for (const headers of [
    { authorization: "Bearer x.y.z" },
    { authorization: "Basic YTpi" },
    cookieOf("x.y.z"),
  ]) {
    const response = await me(headers);
    assert.equal(response.statusCode, 401);
    assert.match(String(response.headers["www-authenticate"]), /^Bearer .*error="invalid_token"/);
    assert.equal(response.json().error, "invalid_token");
  }
});

test("me: a token in the query string is not looked at", async () => {
  const { access_token: token } = await signIn();
  const response = await app.inject({ url: `/auth/me?access_token=${token}&authorization=${token}` });
  assert.equal(response.statusCode, 401);
});

test("logout: ends the session by header, cookie or refresh token, and takes the cookie back", async () => {
  for (const how of ["header", "cookie", "refresh token"] as const) {
    const session = await signIn();
    const token = session.access_token;
    const headers =
      how === "header"
        ? { authorization: `Bearer ${token}` }
        : how === "cookie"
          ? { ...cookieOf(token), origin: "https://gw.example" }
          : {};
    const response = await post(
      "/auth/logout",
      how === "refresh token" ? { refresh_token: session.refresh_token } : {},
      headers,
    );
    assert.equal(response.statusCode, 204, how);
    assert.match(String(response.headers["set-cookie"]), /=; Path=\/; Max-Age=0; Secure/);
    assert.equal((await me({ authorization: `Bearer ${token}` })).statusCode, 401, how);
  }
  assert.equal((await app.inject({ method: "POST", url: "/auth/logout" })).statusCode, 204);
});

test("attack, cross-site: a foreign page can neither sign its visitor in nor out", async () => {
  const { access_token: token } = await signIn();
  for (const source of [
    { origin: "https://evil.test" },
    { origin: "null" },
    { referer: "https://evil.test/x" },
  ]) {
    const login = await post(
      "/auth/login",
      { login: "ada", password: "correct horse" },
      source as Record<string, string>,
    );
    assert.deepEqual([login.statusCode, login.json().error], [403, "access_denied"]);
    const logout = await post("/auth/logout", {}, { ...cookieOf(token), ...source } as Record<
      string,
      string
    >);
    assert.equal(logout.statusCode, 403);
  }
  assert.equal(
    (await post("/auth/logout", {}, cookieOf(token))).statusCode,
    403,
    "a cookie without an origin",
  );
  assert.equal((await me(cookieOf(token))).statusCode, 200);
});

test("cross-origin: a listed page may sign in and read the answer, after its preflight", async () => {
  const origin = "https://app.example.com";
  const preflight = await app.inject({
    method: "OPTIONS",
    url: "/auth/login",
    headers: { ...HOST, origin, "access-control-request-method": "POST" },
  });
  assert.equal(preflight.statusCode, 204);
  const response = await post("/auth/login", { login: "ada", password: "correct horse" }, { origin });
  for (const { headers } of [preflight, response]) {
    assert.equal(headers["access-control-allow-origin"], origin);
    assert.equal(headers["access-control-allow-credentials"], "true");
    assert.equal(headers.vary, "origin");
  }
  const foreign = await app.inject({
    method: "OPTIONS",
    url: "/auth/login",
    headers: { ...HOST, origin: "https://evil.test" },
  });
  assert.equal(foreign.headers["access-control-allow-origin"], undefined);
});

test("jwks: the public keys for anyone, and nothing private", async () => {
  const response = await app.inject({ url: "/.well-known/jwks.json" });
  assert.equal(response.statusCode, 200);
  const { keys } = response.json();
  assert.equal(keys[0].kty, "OKP");
  assert.equal("d" in keys[0], false);
});
