import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Agent, request } from "undici";
import { WebSocket } from "ws";
import { openGateway, signIn } from "../helpers/gateway.ts";
import { blocksOf } from "../helpers/page-blocks.ts";
import { required } from "../helpers/required.ts";

const NGINX = "/usr/sbin/nginx";
const TLS = new URL("../fixtures/tls/", import.meta.url).pathname;
const ca = readFileSync(`${TLS}ca.crt`);

/** The lines of docs/operating.md, with the places of this machine. */
function configuration(directory: string, port: number, gatewayUrl: string): string {
  const block = blocksOf("docs/operating.md").find(({ language }) => language === "nginx");
  assert.ok(block);
  const places: readonly (readonly [string, string])[] = [
    ["127.0.0.1:8080", new URL(gatewayUrl).host],
    ["listen 443", `listen 127.0.0.1:${port}`],
    ["events.example.com", "localhost"],
    ["/etc/ssl/events/fullchain.pem", `${TLS}good.crt`],
    ["/etc/ssl/events/privkey.pem", `${TLS}good.key`],
  ];
  let http = block.code;
  for (const [here, there] of places) {
    assert.ok(http.includes(here), here);
    http = http.replaceAll(here, there);
  }
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${directory}/${name};`)
    .join("\n");
  return `daemon off;\nmaster_process off;\npid ${directory}/pid;\nerror_log ${directory}/errors warn;
events { worker_connections 64; }\nhttp {\naccess_log off;\n${paths}\n${http}\n}\n`;
}

test("operating: behind nginx with the documented lines, streams come at once and WebSocket works", {
  skip: required("nginx", existsSync(NGINX)),
}, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "streamkeeper-nginx-"));
  await using gateway = await openGateway("", {}, "trustedProxies: [127.0.0.1]");
  const token = await signIn(gateway);
  const port = await freePort();
  writeFileSync(join(directory, "nginx.conf"), configuration(directory, port, gateway.url));
  const nginx = spawn(NGINX, ["-p", directory, "-e", "stderr", "-c", join(directory, "nginx.conf")]);
  const dispatcher = new Agent({ connect: { ca, servername: "localhost" } });
  t.after(async () => {
    await dispatcher.destroy();
    nginx.kill("SIGTERM");
    if (nginx.exitCode === null) await once(nginx, "close");
    rmSync(directory, { recursive: true, force: true });
  });
  await listening(nginx, `https://127.0.0.1:${port}/healthz`, dispatcher);

  const headers = { authorization: `Bearer ${token}` };
  const stream = await request(`https://127.0.0.1:${port}/.well-known/mercure?match=/chat/1`, {
    dispatcher,
    headers,
  });
  assert.equal(stream.statusCode, 200);
  const socket = new WebSocket(`wss://localhost:${port}/connection/websocket`, "centrifuge-json", {
    ca,
  });
  await once(socket, "open");
  const said: string[] = [];
  socket.on("message", (data) => said.push(String(data)));
  socket.send(JSON.stringify({ id: 1, connect: { token } }));
  socket.send(JSON.stringify({ id: 2, subscribe: { channel: "/chat/1" } }));
  while (!said.some((text) => text.includes('"subscribe"'))) await once(socket, "message");

  gateway.hub.publish({ topics: ["/chat/1"], data: '"hello through nginx"' });
  let text = "";
  for await (const chunk of stream.body) {
    text += chunk;
    if (text.includes("hello through nginx")) break;
  }
  while (!said.some((each) => each.includes("hello through nginx"))) await once(socket, "message");
  socket.terminate();
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

async function listening(nginx: ChildProcess, url: string, dispatcher: Agent): Promise<void> {
  let told = "";
  nginx.stderr?.setEncoding("utf8").on("data", (text: string) => {
    told += text;
  });
  for (;;) {
    assert.equal(nginx.exitCode, null, told);
    const status = await request(url, { dispatcher }).then(
      async ({ statusCode, body }) => {
        await body.dump();
        return statusCode;
      },
      () => null,
    );
    if (status === 200) return;
    await new Promise(setImmediate);
  }
}
