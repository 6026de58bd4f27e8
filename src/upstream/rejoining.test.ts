import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { describe, test } from "node:test";
import { FeedRig } from "../../test/helpers/feed-rig.ts";
import { QUIET_MS } from "./pool.ts";
import { HANDOVER_MS } from "./takeovers.ts";

/** More than any memory of single events would hold. */
const MANY = 6000;

describe("keys that come back", () => {
  test("keys that come back: on a link that stands far behind, none of their events comes twice or late", async () => {
    await using rig = await openFull();
    rig.feed.want("K");
    await rig.until("K", () => rig.isServed("K"));
    rig.publish("K", "K");
    await rig.caughtUp();
    rig.assertExact(["K"]);
    rig.assertNoneTwice();
    assert.ok(rig.feed.counters.doubles >= MANY, "it was repeated");
  });

  test("keys that come back: without a new event the repeated ones are not taken for new", async () => {
    await using rig = await openFull();
    const before = rig.events.length;
    rig.feed.want("K");
    await rig.until("K", () => rig.isServed("K"));
    await rig.pass(2 * HANDOVER_MS);
    assert.equal(rig.events.length, before);
  });

  test("keys that come back: on a link that is past their last event, they go on when it has caught up", async () => {
    await using rig = await openFull();
    rig.publish("B");
    await rig.caughtUp();
    rig.feed.want("K");
    await rig.until("K", () => rig.isServed("K"));
    rig.publish("K");
    await rig.pass(HANDOVER_MS / 2);
    assert.equal(rig.lastOf("K") === rig.lastPublished("K"), false, "it may be a repeat");
    await rig.pass(HANDOVER_MS);
    rig.publish("K");
    await rig.caughtUp();
    rig.assertExact(["K", "B"]);
    assert.equal(rig.gaps.length, 0);
  });

  test("keys that come back: a full pool never has a link more, while it merges and when keys are asked for anew", async () => {
    await using rig = await FeedRig.open({ pool: { keysPerLink: 2, linksMax: 2, lingerMs: 100 } });
    for (const key of ["A", "B", "C", "D"]) rig.feed.want(key);
    await rig.until("all", () => rig.isServed("A", "B", "C", "D"));
    rig.publish("A", "B", "C", "D");
    await rig.caughtUp();
    for (let round = 0; round < 3; round++) {
      rig.feed.unwant("B");
      rig.feed.unwant("D");
      let at = 0;
      await rig.until("one link", () => {
        if (++at % 20 === 0) rig.publish("A", "C");
        return rig.feed.stats().links.length === 1;
      });
      rig.feed.want("B");
      rig.feed.want("D");
      await rig.until("all", () => rig.isServed("A", "B", "C", "D"));
      await rig.pass(QUIET_MS + HANDOVER_MS);
    }
    rig.publish("A", "B", "C", "D");
    await rig.caughtUp();
    assert.ok(rig.server.streamsPeak <= 2, `${rig.server.streamsPeak} streams`);
    assert.equal(rig.gaps.length, 0);
    rig.assertExact();
  });
});

describe("a link that has taken over in silence", () => {
  for (const [name, silent] of [
    ["merged links", "B"],
    ["merged links, the other one behind", "A"],
  ] as const) {
    test(`a link that has taken over in silence: broken before its first event, it goes on where one of the ${name} stood`, async () => {
      await using rig = await FeedRig.open({ server: { marksStart: false } });
      await rig.hold("A");
      await rig.hold("B");
      rig.publish("A", "B", "A", "B", silent === "A" ? "B" : "A");
      await rig.caughtUp();
      await rig.until("the merger", () => rig.server.streams === 1 && rig.feed.stats().links.length === 1);
      await rig.server.kill();
      rig.publish("A", "B");
      await rig.server.start();
      await rig.until("the link", () => rig.isServed("A", "B"));
      rig.publish("B", "A");
      await rig.caughtUp();
      assert.equal(rig.gaps.length, 0);
      rig.assertExact();
    });
  }

  test("a link that has taken over in silence: of a feed without ids its loss is a gap", async () => {
    await using rig = await FeedRig.open({ server: { ids: false } });
    await rig.hold("A");
    await rig.hold("B");
    rig.publish("A", "B");
    await rig.caughtUp();
    await rig.until("the merger", () => rig.server.streams === 1 && rig.feed.stats().links.length === 1);
    rig.server.resetAll();
    await rig.until("the gap", () => rig.gaps.length === 1);
    assert.deepEqual(rig.gaps[0]?.topics, ["/quotes/A", "/quotes/B"]);
    await rig.until("the link", () => rig.isServed("A", "B"));
  });
});

describe("keys of a link that is given up while they are in doubt", () => {
  for (const open of [false, true]) {
    test(`keys of a link that is given up while they are in doubt: the next one repeats none ${open ? "while another one is open" : "after all were rejected"}`, async () => {
      await using rig = await FeedRig.open({ server: { marksStart: false }, pool: { keysPerLink: 2 } });
      await rig.hold("A");
      await rig.hold("B");
      rig.publish("A", "B", "A", "B", "B");
      await rig.caughtUp();
      await rig.until("the merger", () => rig.server.streams === 1 && rig.feed.stats().links.length === 1);
      if (open) {
        for (const key of ["C", "D"]) rig.feed.want(key);
        await rig.until("the other link", () => rig.isServed("A", "B", "C", "D"));
        rig.publish("C", "D");
        await rig.caughtUp();
      }
      await part(rig, "A", "B");
      await rig.until("the links", () => rig.isServed("A", "B"));
      await rig.pass(2 * HANDOVER_MS);
      rig.publish("B", "A");
      await rig.caughtUp();
      assert.equal(rig.gaps.length, 0);
      rig.assertExact();
    });
  }

  test("keys of a link that is given up while they are in doubt: what was held back of them is not lost", async () => {
    await using rig = await openFull(["E", "F"]);
    rig.publish("B", "C");
    await rig.caughtUp();
    rig.feed.want("K");
    await rig.until("K", () => rig.isServed("K"));
    await makePlace(rig);
    rig.publish("K", "B");
    await rig.until("B", () => rig.lastOf("B") === rig.lastPublished("B"));
    assert.equal(rig.lastOf("K") === rig.lastPublished("K"), false, "K is in doubt");
    await part(rig, "B", "K");
    await rig.until("the links", () => rig.isServed("B", "K"));
    rig.publish("K", "B");
    await rig.caughtUp();
    assert.equal(rig.gaps.length, 0);
    rig.assertExact(["K", "B"]);
  });

  test("keys of a link that is given up while they are in doubt: the next one repeats none that came by the link before it", async () => {
    await using rig = await FeedRig.open({ server: { marksStart: false } });
    await rig.hold("A");
    await rig.hold("B");
    const heir = streamOf(rig, (asked) => asked.includes("A") && asked.includes("B"));
    await rig.until("the merger", () => heir.response !== null);
    rig.server.script = null;
    rig.publish("A");
    heir.bring("A", rig.lastPublished("A"));
    await rig.caughtUp();
    // What the merged links bring and the new one does not, before it takes over.
    rig.publish("B", "B");
    await rig.caughtUp();
    await rig.until("the end of the merged links", () => rig.server.streams === 0);
    await part(rig, "A", "B");
    await rig.until("the links", () => rig.isServed("A", "B"));
    rig.publish("B", "A");
    await rig.caughtUp();
    assert.equal(rig.gaps.length, 0);
    rig.assertExact();
  });

  test("keys of a link that is given up while they are in doubt: one that starts anew does not publish what was held back", async () => {
    await using rig = await openFull(["E", "F"]);
    const repeated = (rig.lastPublished("K") as number) - 1;
    rig.publish("B", "C");
    await rig.caughtUp();
    const behind = streamOf(rig, (asked) => asked.includes("K"));
    rig.feed.want("K");
    await rig.until("K", () => behind.response !== null);
    await makePlace(rig);
    rig.publish("B");
    behind.bring("K", repeated);
    behind.bring("B", rig.lastPublished("B"));
    await rig.until("B", () => rig.lastOf("B") === rig.lastPublished("B"));
    rig.server.script = (request, response) => {
      const asked = keysOf(request.url);
      if (!asked.includes("K")) return false;
      if (asked.length === 1 && request.headers["last-event-id"] === undefined) {
        rig.server.script = null;
        return false;
      }
      response.writeHead(404).end();
      return true;
    };
    rig.server.resetAll();
    await rig.until("K, anew", () => rig.server.script === null && rig.isServed("B", "K"));
    assert.ok(rig.gaps.some(({ topics }) => topics.includes("/quotes/K")));
    rig.publish("K");
    await rig.caughtUp();
    await rig.pass(2 * HANDOVER_MS);
    rig.assertNoneTwice();
  });
});

/** Two links, both of two keys: one stands still while K, of the other, has many events and is let go. More are for `others`. */
async function openFull(others: readonly string[] = []): Promise<FeedRig> {
  const linksMax = 2 + others.length / 2;
  const rig = await FeedRig.open({ pool: { keysPerLink: 2, linksMax, lingerMs: 100 } });
  for (const key of ["A", "B"]) rig.feed.want(key);
  await rig.until("the first link", () => rig.isServed("A", "B"));
  for (const key of ["C", "K"]) rig.feed.want(key);
  await rig.until("the second link", () => rig.isServed("C", "K"));
  for (const key of others) rig.feed.want(key);
  await rig.until("the others", () => rig.isServed(...others));
  for (let n = 0; n < MANY; n++) rig.publish("K");
  await rig.caughtUp();
  rig.feed.unwant("K");
  rig.feed.unwant("A");
  await rig.until("both to be let go", () => rig.feed.stats().keysLingering === 0);
  rig.feed.want("D");
  await rig.until("D beside C", () => rig.isServed("C", "D"));
  return rig;
}

/** So that keys of one link can have a link each. */
async function makePlace(rig: FeedRig): Promise<void> {
  for (const key of ["E", "F"]) rig.feed.unwant(key);
  await rig.until("a place", () => rig.feed.stats().links.length === 2);
}

/** All links break; those that ask for several keys, these among them, are rejected until one of the keys is asked for apart. */
async function part(rig: FeedRig, ...keys: readonly string[]): Promise<void> {
  rig.server.script = ({ url }, response) => {
    const asked = keysOf(url);
    if (!asked.some((key) => keys.includes(key))) return false;
    if (asked.length > 1) response.writeHead(404).end();
    else rig.server.script = null;
    return asked.length > 1;
  };
  rig.server.resetAll();
  await rig.until("one to be asked for apart", () => rig.server.script === null);
}

/** A stream for these keys that brings what it is told to. */
function streamOf(rig: FeedRig, isAsked: (keys: readonly string[]) => boolean) {
  const stream = {
    response: null as ServerResponse | null,
    bring: (key: string, n = 0) =>
      stream.response?.write(`id: ${n}\ndata: ${JSON.stringify({ symbol: key, n })}\n\n`),
  };
  rig.server.script = ({ url }, response) => {
    if (!isAsked(keysOf(url))) return false;
    stream.response = response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(":\n\n");
    return true;
  };
  return stream;
}

function keysOf(url = ""): string[] {
  return (new URL(url, "http://localhost").searchParams.get("symbols") ?? "").split(",");
}
