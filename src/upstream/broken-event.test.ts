import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "#base/logger.ts";
import { seededRandom } from "#base/random.ts";
import { SystemClock } from "#base/system-clock.ts";
import { TRUST } from "../../test/helpers/dial-rig.ts";
import { FeedServer, until } from "../../test/helpers/feed-server.ts";
import { Http2Feed } from "../../test/helpers/http2-feed.ts";
import { openFeed } from "./feed.ts";
import type { FeedSettings, FeedSink, GapInfo } from "./ports.ts";

interface Server extends AsyncDisposable {
  readonly origin: string;
  readonly requests: readonly unknown[];
  write(text: string): void;
}

async function openHttp2(): Promise<Server> {
  const server = await Http2Feed.open();
  return {
    origin: server.origin,
    requests: server.requests,
    write: (text) => server.publish(text),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

const CARRIERS: readonly (readonly [string, () => Promise<Server>])[] = [
  ["HTTP/1.1", () => FeedServer.open()],
  ["HTTP/2", openHttp2],
];

for (const [carrier, openServer] of CARRIERS) {
  test(`broken event: what the gateway fails on itself ends the link, and is a gap, over ${carrier}`, async () => {
    await using server = await openServer();
    const rig = new Rig((data) => data === '"poison"');
    await using feed = rig.open(server);
    await until("the link", () => feed.stats().links[0]?.state === "open");
    server.write('id: 1\ndata: [1]\n\nid: 2\ndata: [2, "poison", 3]\n\nid: 3\ndata: [4]\n\n');
    await until(
      "the next one",
      () => server.requests.length === 2 && feed.stats().links[0]?.state === "open",
    );
    assert.deepEqual(
      rig.told,
      ["1", "2", "gap of /all: internal"],
      "told after what came, before what comes",
    );
    assert.equal(feed.counters.drops.of("internal"), 1);
    assert.equal(rig.lastEventIdOf(server.requests[1]), "2", "goes on after it");
    server.write("id: 3\ndata: [4]\n\n");
    await until("what comes then", () => rig.told.at(-1) === "4");
  });

  test(`broken event: a sink that takes not even the gap ends no process, over ${carrier}`, async () => {
    await using server = await openServer();
    const rig = new Rig((data) => data.includes("poison"), true);
    await using feed = rig.open(server);
    await until("the link", () => feed.stats().links[0]?.state === "open");
    server.write('id: 1\ndata: [1]\n\nid: 2\ndata: ["poison"]\n\n');
    await until(
      "the next one",
      () => server.requests.length === 2 && feed.stats().links[0]?.state === "open",
    );
    server.write("id: 3\ndata: [2]\n\n");
    await until("what comes then", () => rig.told.join() === "1,2");
  });
}

class Rig implements FeedSink {
  readonly told: string[] = [];
  readonly #isPoison: (data: string) => boolean;
  readonly #takesNoGap: boolean;

  constructor(isPoison: (data: string) => boolean, takesNoGap = false) {
    this.#isPoison = isPoison;
    this.#takesNoGap = takesNoGap;
  }

  open({ origin }: Server) {
    const settings: FeedSettings = {
      name: "test",
      urls: [`${origin}/`],
      topic: "/all",
      headers: {},
      tls: origin.startsWith("https") ? TRUST : null,
      items: "",
      key: null,
      state: "none",
      access: "public",
      pool: { keysPerLink: 1, linksMax: 1, lingerMs: 0, gatherMs: 0 },
      health: { connectTimeoutMs: 5000, idleTimeoutMs: 45_000, rotateAfterMs: 0, eventBytesMax: 4096 },
      retry: { minMs: 1, maxMs: 5, resetAfterMs: 1e6 },
    };
    const clock = new SystemClock();
    return openFeed(settings, { clock, random: seededRandom(1), log: silentLogger, sink: this });
  }

  publish({ data }: { readonly data: string }): void {
    if (this.#isPoison(data)) throw new Error("poison");
    this.told.push(data);
  }

  gap(topics: readonly string[], { reason }: GapInfo): void {
    if (this.#takesNoGap) throw new Error("no gap");
    this.told.push(`gap of ${topics}: ${reason}`);
  }

  lastEventIdOf(request: unknown): unknown {
    const { headers = request } = request as { readonly headers?: unknown };
    return (headers as Record<string, unknown>)["last-event-id"];
  }
}
