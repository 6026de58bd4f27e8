import assert from "node:assert/strict";
import { test } from "node:test";
import { openGateway } from "../helpers/gateway.ts";

const METADATA = "/.well-known/oauth-protected-resource/.well-known/mercure";

test("metadata: behind a trusted proxy the hub's own URL has the client's scheme, and so has the challenge", async () => {
  await using gateway = await openGateway("", {}, "trustedProxies: [127.0.0.1]");
  const headers = { "x-forwarded-proto": "https" };
  const { resource } = (await (await fetch(`${gateway.url}${METADATA}`, { headers })).json()) as {
    resource: string;
  };
  const secure = gateway.url.replace("http:", "https:");
  assert.equal(resource, `${secure}/.well-known/mercure`);
  const refused = await fetch(`${gateway.url}/.well-known/mercure?match=/quotes/x`, { headers });
  assert.equal(refused.status, 401);
  assert.ok(refused.headers.get("www-authenticate")?.includes(`resource_metadata="${secure}${METADATA}"`));
});

test("attack: the scheme that a client wrote itself is not believed", async () => {
  await using gateway = await openGateway();
  const headers = { "x-forwarded-proto": "https" };
  const { resource } = (await (await fetch(`${gateway.url}${METADATA}`, { headers })).json()) as {
    resource: string;
  };
  assert.equal(resource, `${gateway.url}/.well-known/mercure`);
});
