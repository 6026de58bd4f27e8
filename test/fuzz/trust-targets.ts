import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { fileURLToPath } from "node:url";
import { clientAddressReader, clientSchemeReader } from "#app/client-address.ts";
import { signAccessToken, verifyAccessToken } from "#auth/access-token.ts";
import { AuthError } from "#auth/auth-error.ts";
import { newRefreshToken, parseRefreshToken } from "#auth/refresh-token.ts";
import { openSigningKeys } from "#auth/signing-keys.ts";
import { silentLogger } from "#base/logger.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { ConfigError } from "#config/fault.ts";
import { parseConfig } from "#config/load.ts";
import { openStorage } from "#storage/storage.ts";
import { allows } from "./protocol-targets.ts";
import type { FuzzTarget } from "./target.ts";

const forwarded: FuzzTarget = {
  name: "forwarded",
  captures: [
    'for=192.0.2.43, for="[2001:db8::17]:4711";proto=https;by=203.0.113.43',
    "192.0.2.1, 10.0.0.1:80",
  ].map((text) => Buffer.from(text)),
  check(input) {
    const text = input.toString("latin1");
    const trusted = ["127.0.0.0/8", "10.0.0.0/8", "::1"];
    for (const headers of [{ forwarded: text }, { "x-forwarded-for": text, "x-forwarded-proto": text }]) {
      const request = { headers, socket: { remoteAddress: "127.0.0.1" } } as unknown as IncomingMessage;
      assert.notEqual(isIP(clientAddressReader(trusted)(request)), 0, "an address, whatever is claimed");
      assert.ok([null, "http", "https"].includes(clientSchemeReader(trusted)(request)));
      const stranger = { headers, socket: { remoteAddress: "192.0.2.9" } } as unknown as IncomingMessage;
      assert.equal(clientAddressReader(trusted)(stranger), "192.0.2.9", "a stranger is not believed");
      assert.equal(clientSchemeReader(trusted)(stranger), null);
    }
  },
};

const CONFIGS = fileURLToPath(new URL("../fixtures/config/", import.meta.url));

const config: FuzzTarget = {
  name: "config",
  captures: globSync("*.yaml", { cwd: CONFIGS })
    .toSorted()
    .map((file) => readFileSync(CONFIGS + file)),
  check(input) {
    allows([ConfigError], () => parseConfig(input.toString(), null, { FEED_TOKEN: "t" }));
  },
};

/** Parsers of what is believed: tokens, proxies' headers, the configuration. */
export async function openTrustTargets(): Promise<{ targets: FuzzTarget[] } & AsyncDisposable> {
  const clock = new VirtualClock();
  const storage = await openStorage("sqlite::memory:", { clock, logger: silentLogger });
  const context = {
    issuer: "streamkeeper",
    audience: "streamkeeper",
    keys: await openSigningKeys(storage.keys, clock),
    issuers: new Map(),
    clock,
  };
  const claims = { user: "ann", role: "trader", sessionId: null, ttlMs: 60_000 };
  const { token } = await signAccessToken(claims, context);
  const refresh = newRefreshToken().text;
  const tokens: FuzzTarget = {
    name: "tokens",
    captures: [token, refresh].map((text) => Buffer.from(text)),
    async check(input) {
      const text = input.toString("latin1");
      parseRefreshToken(text);
      const verified = await verifyAccessToken(text, context).catch((thrown: unknown) => {
        if (thrown instanceof AuthError) return null;
        throw thrown;
      });
      if (verified !== null)
        assert.deepEqual(decodedParts(text), decodedParts(token), "only what was signed is good");
    },
  };
  return {
    targets: [tokens, forwarded, config],
    [Symbol.asyncDispose]: () => storage.close(),
  };
}

/** A signature's last character holds bits that stand for nothing, so two texts can be one token. */
function decodedParts(token: string): string[] {
  return token.split(".").map((part) => Buffer.from(part, "base64url").toString("hex"));
}
