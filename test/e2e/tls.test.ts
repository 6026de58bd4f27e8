import assert from "node:assert/strict";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { WebSocket } from "ws";
import { until } from "../helpers/feed-server.ts";
import { openGateway } from "../helpers/gateway.ts";

const FIXTURES = new URL("../fixtures/tls/", import.meta.url).pathname;
const ca = readFileSync(`${FIXTURES}ca.crt`);
const directory = mkdtempSync(join(tmpdir(), "streamkeeper-tls-"));
const files = { cert: join(directory, "cert.pem"), key: join(directory, "key.pem") };
after(() => rmSync(directory, { recursive: true, force: true }));

function put(pair: string): void {
  copyFileSync(`${FIXTURES}${pair}.crt`, files.cert);
  copyFileSync(`${FIXTURES}${pair}.key`, files.key);
}

async function openSecureGateway() {
  put("good");
  return await openGateway(`
tls: { cert: ${files.cert}, key: ${files.key} }`);
}

async function dial(url: string, options: object = {}): Promise<TLSSocket> {
  const socket = connect({
    port: Number(new URL(url).port),
    host: "127.0.0.1",
    servername: "localhost",
    ca,
    ...options,
  });
  await once(socket, "secureConnect");
  return socket.setEncoding("utf8");
}

async function read(socket: TLSSocket, pattern: RegExp): Promise<string> {
  let text = "";
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += chunk;
    if (pattern.test(text)) break;
  }
  return text;
}

function serialOf(socket: TLSSocket): string {
  return socket.getPeerCertificate().serialNumber;
}

test("tls: SSE and WebSocket clients of one topic get an event over TLS, and each ends with its reason", async () => {
  await using gateway = await openSecureGateway();
  assert.match(gateway.url, /^https:/);
  const sse = await dial(gateway.url);
  sse.write("GET /.well-known/mercure?match=/public/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
  assert.match(await read(sse, /\r\n\r\n:/), /^HTTP\/1\.1 200 OK\r\n/);
  const socket = new WebSocket(
    `${gateway.url.replace("https", "wss")}/connection/websocket`,
    "centrifuge-json",
    {
      ca,
    },
  );
  await once(socket, "open");
  socket.send('{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"/public/x"}}');
  let replies = "";
  socket.on("message", (message) => {
    replies += message;
  });
  await until("the subscribe reply", () => replies.includes('"subscribe":'));
  gateway.hub.publish({ topics: ["/public/x"], data: '{"n":1}' });
  assert.match(await read(sse, /data: /), /data: \{"n":1\}/);
  await until("the push", () => replies.includes('"data":{"n":1}'));
  sse.end();
  socket.close();
  await once(socket, "close");
  await once(sse, "close");
});

test("tls: what is older than TLS 1.2 is refused", async () => {
  await using gateway = await openSecureGateway();
  await assert.rejects(dial(gateway.url, { minVersion: "TLSv1", maxVersion: "TLSv1.1" }));
  (await dial(gateway.url, { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" })).destroy();
});

test("tls: a reload puts a new certificate in force and keeps connections; a bad pair leaves the old one", async () => {
  await using gateway = await openSecureGateway();
  const held = await dial(gateway.url);
  held.write("GET /.well-known/mercure?match=/public/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await read(held, /\r\n\r\n:/);
  const first = serialOf(held);
  put("next");
  gateway.reload();
  const renewed = await dial(gateway.url);
  assert.notEqual(serialOf(renewed), first);
  writeFileSync(files.key, readFileSync(`${FIXTURES}good.key`));
  gateway.reload();
  const after = await dial(gateway.url);
  assert.equal(serialOf(after), serialOf(renewed));
  gateway.hub.publish({ topics: ["/public/x"], data: "still here" });
  assert.match(await read(held, /data: /), /still here/);
  for (const socket of [held, renewed, after]) socket.destroy();
});

test("attack: plain HTTP spoken to the TLS port ends that connection only", async () => {
  await using gateway = await openSecureGateway();
  const { Socket } = await import("node:net");
  const plain = new Socket().connect(Number(new URL(gateway.url).port), "127.0.0.1");
  plain.on("error", () => {});
  plain.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await once(plain, "close");
  (await dial(gateway.url)).destroy();
});
