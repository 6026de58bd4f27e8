import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import { test } from "node:test";
import { clientAddressReader, clientSchemeReader } from "./client-address.ts";

function request(remoteAddress: string, headers: Record<string, string> = {}): IncomingMessage {
  return { socket: { remoteAddress }, headers } as unknown as IncomingMessage;
}

test("client address: without trusted proxies it is the socket's peer, whatever headers say", () => {
  const read = clientAddressReader([]);
  assert.equal(read(request("203.0.113.9", { "x-forwarded-for": "198.51.100.1" })), "203.0.113.9");
  assert.equal(read(request("::ffff:203.0.113.9")), "203.0.113.9");
});

test("client address: behind trusted proxies it is the last address that none of them is", () => {
  const read = clientAddressReader(["10.0.0.0/8", "2001:db8::1"]);
  assert.equal(read(request("10.1.1.1", { "x-forwarded-for": "198.51.100.1, 10.2.2.2" })), "198.51.100.1");
  assert.equal(
    read(request("2001:db8::1", { forwarded: 'for="[2001:db8::9]:4711";proto=https' })),
    "2001:db8::9",
  );
  assert.equal(read(request("10.1.1.1", { forwarded: "for=198.51.100.1:80, for=10.2.2.2" })), "198.51.100.1");
  assert.equal(read(request("10.1.1.1")), "10.1.1.1");
});

test("attack: an address that the client wrote itself is not believed", () => {
  const read = clientAddressReader(["10.0.0.0/8"]);
  assert.equal(read(request("10.1.1.1", { "x-forwarded-for": "127.0.0.1, 198.51.100.1" })), "198.51.100.1");
  assert.equal(read(request("203.0.113.9", { "x-forwarded-for": "127.0.0.1" })), "203.0.113.9");
  assert.equal(read(request("10.1.1.1", { "x-forwarded-for": "not an address" })), "10.1.1.1");
  assert.equal(
    read(request("10.1.1.1", { "x-forwarded-for": `${"10.3.3.3, ".repeat(10_000)}10.3.3.3` })),
    "10.3.3.3",
  );
});

test("attack: a client that sends the header which its proxy passes on as it came has it believed in no case", () => {
  const read = clientAddressReader(["10.0.0.0/8"]);
  const [mine, other] = ["198.51.100.1", "203.0.113.55"];
  // The proxy's own header says who it is; the other one is the client's, whichever it is.
  assert.equal(read(request("10.1.1.1", { "x-forwarded-for": mine, forwarded: `for=${other}` })), "10.1.1.1");
  assert.equal(read(request("10.1.1.1", { "x-forwarded-for": other, forwarded: `for=${mine}` })), "10.1.1.1");
  assert.equal(read(request("10.1.1.1", { "x-forwarded-for": mine, forwarded: "for=unknown" })), "10.1.1.1");
  assert.equal(read(request("10.1.1.1", { "x-forwarded-for": mine, forwarded: `for=${mine}` })), mine);
  const scheme = clientSchemeReader(["10.0.0.0/8"]);
  assert.equal(scheme(request("10.1.1.1", { "x-forwarded-proto": "http", forwarded: "proto=https" })), null);
  assert.equal(
    scheme(request("10.1.1.1", { "x-forwarded-proto": "https", forwarded: "for=10.0.0.1" })),
    "https",
  );
});

test("client scheme: a trusted proxy's word counts, its own where there are several, and nobody else's", () => {
  const read = clientSchemeReader(["10.0.0.0/8"]);
  assert.equal(read(request("10.1.1.1", { "x-forwarded-proto": "https" })), "https");
  assert.equal(read(request("10.1.1.1", { "x-forwarded-proto": "http, HTTPS" })), "https");
  assert.equal(read(request("10.1.1.1", { forwarded: 'for=198.51.100.1;proto="https"' })), "https");
  assert.equal(read(request("10.1.1.1", { forwarded: "proto=https, for=10.2.2.2;proto=http" })), "http");
  assert.equal(read(request("10.1.1.1", { "x-forwarded-proto": "javascript" })), null);
  assert.equal(read(request("10.1.1.1")), null);
  assert.equal(read(request("203.0.113.9", { "x-forwarded-proto": "https" })), null);
  assert.equal(clientSchemeReader([])(request("10.1.1.1", { "x-forwarded-proto": "https" })), null);
});
