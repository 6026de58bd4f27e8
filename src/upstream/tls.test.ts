import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DialRig, TRUST } from "../../test/helpers/dial-rig.ts";
import { FeedServer, until } from "../../test/helpers/feed-server.ts";
import { Http2Feed, tlsFixture } from "../../test/helpers/http2-feed.ts";
import type { FeedTls } from "./ports.ts";

const pair = (name: string) => ({ cert: tlsFixture(`${name}.crt`), key: tlsFixture(`${name}.key`) });

const CLIENT: FeedTls = { ...TRUST, client: pair("client") };

describe("feed TLS", () => {
  for (const [what, options, tls, reason] of [
    ["an expired certificate", pair("expired"), TRUST, "tls_expired"],
    ["one that is not valid yet", pair("future"), TRUST, "tls_not_yet_valid"],
    ["one that is signed by itself", pair("other-name"), TRUST, "tls_self_signed"],
    [
      "one for another name",
      pair("other-name"),
      { ca: tlsFixture("other-name.crt"), client: null },
      "tls_name_mismatch",
    ],
    ["one of an authority that is not known", pair("good"), null, "tls_untrusted"],
    [
      "one of another authority than the feed's",
      pair("good"),
      { ca: tlsFixture("other-name.crt"), client: null },
      "tls_untrusted",
    ],
    ["TLS 1.1", { ...pair("good"), maxVersion: "TLSv1.1", minVersion: "TLSv1" }, TRUST, "tls_handshake"],
    [
      "a wish for a client certificate that there is not",
      { ...pair("good"), requestCert: true, rejectUnauthorized: true, ca: tlsFixture("ca.crt") },
      TRUST,
      "tls_client_certificate",
    ],
  ] as const) {
    test(`feed TLS: ${what} is ${reason}`, async () => {
      await using feed = await Http2Feed.open({ ...options });
      await using rig = new DialRig({ tls });
      const dial = rig.dial(feed.origin);
      await until("the verdict", () => dial.failure !== null || dial.opened > 0);
      assert.equal(dial.reason, reason, dial.failure?.message ?? "no failure");
      await until("no socket", () => rig.dialer.sockets === 0);
    });
  }

  test("feed TLS: a client certificate opens a feed that wants one, and stays with the feed's own origin", async () => {
    const wants = { requestCert: true, rejectUnauthorized: false, ca: tlsFixture("client.crt") };
    await using other = await Http2Feed.open(wants);
    await using feed = await Http2Feed.open({ ...wants, rejectUnauthorized: true });
    feed.script = (stream, headers) => {
      if (headers[":path"] !== "/moved") return false;
      stream.respond({ ":status": 302, location: `${other.origin}/` }, { endStream: true });
      return true;
    };
    await using rig = new DialRig({ tls: CLIENT });
    const [one, moved] = [rig.dial(feed.origin), rig.dial(`${feed.origin}/moved`)];
    await until("both open", () => one.opened + moved.opened === 2);
    assert.deepEqual([feed.clients, other.clients], [["gateway"], []]);
    const direct = rig.dial(other.origin);
    await until("the feed's own", () => direct.opened === 1);
    assert.deepEqual(other.clients, ["gateway"], "and not on the redirect's session");
  });

  test("feed TLS: a peer that speaks none is a failed handshake", async () => {
    await using feed = await FeedServer.open();
    await using rig = new DialRig();
    const dial = rig.dial(feed.origin.replace("http:", "https:"));
    await until("the verdict", () => dial.failure !== null);
    assert.equal(dial.reason, "tls_handshake");
  });
});
