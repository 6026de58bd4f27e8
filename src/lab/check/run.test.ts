import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { SystemClock } from "#base/system-clock.ts";
import { type GatewayFault, openScriptedGateway } from "../../../test/helpers/scripted-gateway.ts";
import { type CheckOptions, runCheck } from "./run.ts";
import { parseTarget } from "./target.ts";

const TOPIC = "/quotes/AAPL";

async function check(url: string, options: Partial<CheckOptions> & { ca?: string } = {}) {
  const clock = new SystemClock();
  const { ca, ...rest } = options;
  const asked = { target: parseTarget(url, ca), topic: TOPIC, credentials: null, timeoutMs: 5000, ...rest };
  const told: string[] = [];
  const report = await runCheck(asked, clock, ({ name }) => void told.push(name));
  assert.deepEqual(
    report.steps.map(({ name }) => name),
    told,
    "each step is told as it ends",
  );
  assert.equal(clock.timersPending, 0, "no timer is left");
  const step = (name: string) => {
    const found = report.steps.find((candidate) => candidate.name === name);
    assert.ok(found);
    return found;
  };
  return { ok: report.ok, step, failed: report.steps.filter(({ outcome }) => outcome === "failed") };
}

/** Runs the test against a gateway with a fault, and expects the first step that fails, why, and what to do. */
async function expectFailure(
  fault: GatewayFault,
  expected: { step: string; why: RegExp; advice: RegExp },
  options: Partial<CheckOptions> = {},
) {
  await using gateway = await openScriptedGateway(fault);
  const result = await check(`http://127.0.0.1:${gateway.port}`, options);
  assert.equal(result.ok, false);
  const first = result.failed[0];
  assert.ok(first, "a step failed");
  assert.equal(first.name, expected.step, first.detail);
  assert.match(first.detail, expected.why);
  assert.match(first.advice ?? "", expected.advice);
  return result;
}

function fixture(name: string): string {
  return fileURLToPath(new URL(`../../../test/fixtures/tls/${name}`, import.meta.url));
}

function pair(name: string) {
  return {
    cert: readFileSync(fixture(`${name}.crt`), "utf8"),
    key: readFileSync(fixture(`${name}.key`), "utf8"),
  };
}

async function listen(t: TestContext, onSocket: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

test("check: against a gateway that is well every step is ok, breaks included, and nothing stays open", async () => {
  await using gateway = await openScriptedGateway("none");
  const credentials = { user: "demo", password: "right" };
  const { ok, step } = await check(`http://127.0.0.1:${gateway.port}`, { credentials });
  assert.ok(ok);
  assert.equal(step("dns").outcome, "skipped");
  assert.match(step("tls").detail, /not encrypted|nothing is encrypted/);
  assert.match(step("sign-in").detail, /signed in as demo, role trader, for 15 min/);
  assert.match(step("sse").detail, /first byte after \d+ ms/);
  assert.match(step("websocket").detail, /a ping every 25 s/);
  assert.match(step("resume sse").detail, /of the break came, in order, once/);
  assert.match(step("resume websocket").detail, /of the break came, in order, once/);
  while ((await gateway.connections) > 0) await new Promise((resolve) => setImmediate(resolve));
});

test("check: over TLS it tells chain, name and days to expiry", async () => {
  await using gateway = await openScriptedGateway("none", pair("good"));
  const { ok, step } = await check(`https://localhost:${gateway.port}`, { ca: fixture("ca.crt") });
  assert.ok(ok, step("tls").detail);
  assert.match(
    step("tls").detail,
    /^TLSv1\.3, for localhost, 127\.0\.0\.1.*, expires in \d+ days, chain: localhost ← Streamkeeper test CA$/,
  );
  assert.match(step("dns").detail, /localhost is /);
});

test("check: a topic that was not given leaves its steps skipped, which is no failure", async () => {
  await using gateway = await openScriptedGateway("none");
  const { ok, step } = await check(`http://127.0.0.1:${gateway.port}`, { topic: null });
  assert.ok(ok);
  for (const name of ["subscribe", "first event", "resume sse", "resume websocket"]) {
    assert.equal(step(name).outcome, "skipped");
    assert.match(step(name).detail, /--topic/);
  }
});

test("check: a port that nobody listens on fails at tcp, and nothing after it is tried", async (t) => {
  const port = await listen(t, () => {});
  const unused = await openScriptedGateway("none");
  const freed = unused.port;
  await unused[Symbol.asyncDispose]();
  assert.notEqual(port, freed);
  const { failed, step } = await check(`http://127.0.0.1:${freed}`);
  assert.deepEqual(
    failed.map(({ name }) => name),
    ["tcp"],
  );
  assert.match(step("tcp").detail, /connection refused/);
  assert.match(step("tcp").advice ?? "", /is the gateway running, is the port right/);
  assert.match(step("resume websocket").detail, /not tried/);
});

test("check: a name that does not exist fails at dns", async () => {
  const { failed } = await check("http://no-such-host.invalid:1");
  assert.deepEqual(
    failed.map(({ name }) => name),
    ["dns"],
  );
});

test("check: a server that is silent fails at http when the time is over", async (t) => {
  const port = await listen(t, () => {});
  const { failed } = await check(`http://127.0.0.1:${port}`, { timeoutMs: 150 });
  assert.equal(failed[0]?.name, "http");
  assert.match(failed[0]?.detail ?? "", /no answer within 0\.15 s/);
});

test("check: a server that speaks something else than HTTP fails at http", async (t) => {
  const port = await listen(t, (socket) => socket.end("220 mail.example ESMTP\r\n"));
  const { failed } = await check(`http://127.0.0.1:${port}`);
  assert.equal(failed[0]?.name, "http");
  assert.match(failed[0]?.detail ?? "", /not HTTP/);
});

test("check: https to a port without TLS fails at tls, and http to one with TLS at http, each naming the other", async () => {
  await using plain = await openScriptedGateway("none");
  const secureAsked = await check(`https://localhost:${plain.port}`);
  assert.equal(secureAsked.failed[0]?.name, "tls");
  assert.match(secureAsked.failed[0]?.advice ?? "", /http:\/\//);
  await using secure = await openScriptedGateway("none", pair("good"));
  const plainAsked = await check(`http://localhost:${secure.port}`);
  assert.equal(plainAsked.failed[0]?.name, "http");
  assert.match(plainAsked.failed[0]?.advice ?? "", /https:\/\//);
});

test("check: a certificate that is unknown, expired, not valid yet or for another name fails at tls, each with its remedy", async () => {
  const cases = [
    { certificate: "good", ca: undefined, why: /trusts/, advice: /--ca/ },
    { certificate: "expired", ca: "ca.crt", why: /expired on .*2021.*expired \d+ days ago/, advice: /Renew/ },
    { certificate: "future", ca: "ca.crt", why: /valid only from .*2120/, advice: /clocks/ },
    { certificate: "other-name", ca: undefined, why: /trusts/, advice: /--ca/ },
    {
      certificate: "other-name",
      ca: "other-name.crt",
      why: /not for localhost.*other\.example/,
      advice: /the name that the certificate is for/,
    },
  ];
  for (const { certificate, ca, why, advice } of cases) {
    await using gateway = await openScriptedGateway("none", pair(certificate));
    const { failed } = await check(
      `https://localhost:${gateway.port}`,
      ca === undefined ? {} : { ca: fixture(ca) },
    );
    assert.equal(failed[0]?.name, "tls", certificate);
    assert.match(failed[0]?.detail ?? "", why);
    assert.match(failed[0]?.advice ?? "", advice);
  }
});

test("check: a proxy without a gateway, another server and a redirect fail at http", async () => {
  await expectFailure("bad_gateway", { step: "http", why: /502/, advice: /proxy reaches no gateway/ });
  await expectFailure("other_server", {
    step: "http",
    why: /not as Streamkeeper does/,
    advice: /gateway's root/,
  });
  const { failed } = await expectFailure("redirects", {
    step: "http",
    why: /301/,
    advice: /https:\/\/elsewhere\.example/,
  });
  assert.doesNotMatch(failed[0]?.advice ?? "", /secret/);
});

test("check: a wrong password fails at sign-in", async () => {
  await expectFailure(
    "none",
    { step: "sign-in", why: /wrong name or password/, advice: /user passwd/ },
    { credentials: { user: "demo", password: "wrong" } },
  );
});

test("check: a refused subscription fails with what to do about it, on both transports", async () => {
  const { step } = await expectFailure("unauthorized", {
    step: "sse",
    why: /401: sign in first/,
    advice: /--user/,
  });
  assert.equal(step("websocket").outcome, "ok");
  assert.match(step("subscribe").detail, /error 103: permission denied/);
  assert.match(step("first event").detail, /no transport/);
});

test("check: a proxy that buffers or compresses the stream fails at sse with how to stop it", async () => {
  const timeoutMs = 400;
  await expectFailure(
    "holds_body",
    { step: "sse", why: /nothing of the stream/, advice: /proxy_buffering off/ },
    { timeoutMs },
  );
  await expectFailure(
    "holds_headers",
    { step: "sse", why: /headers did not come/, advice: /proxy_buffering off/ },
    { timeoutMs },
  );
  await expectFailure("compresses", { step: "sse", why: /compressed \(gzip\)/, advice: /do not compress/ });
});

test("check: a proxy that does not pass upgrades fails at websocket, and SSE is tested all the same", async () => {
  const { step } = await expectFailure("no_upgrade", {
    step: "websocket",
    why: /426/,
    advice: /proxy_set_header Upgrade/,
  });
  assert.equal(step("first event").outcome, "ok");
  assert.equal(step("resume sse").outcome, "ok");
  assert.match(step("resume sse").detail, /for want of a witness/);
});

test("check: a topic without events fails at the first event", async () => {
  await expectFailure(
    "quiet",
    { step: "first event", why: /no event of/, advice: /spelt right/ },
    { timeoutMs: 200 },
  );
});

test("check: events lost in a break are found on both transports", async () => {
  const { step } = await expectFailure("loses_on_resume", {
    step: "resume sse",
    why: /1 of \d+ events are missing/,
    advice: /bug/,
  });
  assert.match(step("resume websocket").detail, /1 of \d+ events are missing/);
});

test("check: events doubled after a break are found on both transports", async () => {
  const { step } = await expectFailure("doubles_on_resume", {
    step: "resume sse",
    why: /1 events came twice/,
    advice: /bug/,
  });
  assert.match(step("resume websocket").detail, /1 events came twice/);
});

test("check: a gateway that says that it can't resume is taken at its word", async () => {
  const { step } = await expectFailure("cannot_resume", {
    step: "resume sse",
    why: /begins after/,
    advice: /log\.bytesMax/,
  });
  assert.match(step("resume websocket").detail, /can't resume after offset/);
});
