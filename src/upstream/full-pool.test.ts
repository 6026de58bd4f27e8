import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seededRandom } from "#base/random.ts";
import { FeedRig, type FeedRigOptions } from "../../test/helpers/feed-rig.ts";

/** STREAMKEEPER_TEST_SEEDS asks for more: `100` runs the seeds 1 to 100. */
const SEEDS = Array.from({ length: Number(process.env.STREAMKEEPER_TEST_SEEDS ?? 3) }, (_, n) => n + 1);

const LINKS_MAX = 3;
const LASTING = ["A", "B", "C", "D"];
const PASSING = ["E", "F", "G", "H", "I"];
const BAD = ["BAD1", "BAD2", "BAD3"];

describe("full pool", () => {
  for (const seed of SEEDS) {
    test(`full pool: with bad keys among others that come and go, and links that break, the bounds hold and nobody starves (seed ${seed})`, async () => {
      const random = seededRandom(seed);
      const one = (keys: readonly string[]) => keys[Math.floor(random() * keys.length)] as string;
      await using rig = await FeedRig.open({ pool: { keysPerLink: 3, linksMax: LINKS_MAX, lingerMs: 100 } });
      const asked: string[][] = [];
      rig.server.script = (request, response) => {
        const symbols = new URL(request.url ?? "", rig.server.origin).searchParams.get("symbols") ?? "";
        asked.push(symbols.split(","));
        if (!symbols.includes("BAD")) return false;
        response.writeHead(404).end();
        return true;
      };
      for (const key of LASTING) rig.feed.want(key);
      await rig.until("the lasting ones", () => rig.isServed(...LASTING));
      const wanted = new Set<string>();
      for (let step = 0; step < 2000; step++) {
        if (random() < 0.3) rig.publish(one([...LASTING, ...PASSING]));
        if (random() < 0.01) rig.server.resetOne(random());
        // Times of much coming and going, and quiet ones, in which links are merged.
        if (step % 1000 < 600 && random() < 0.06) {
          const key = one([...PASSING, ...BAD]);
          if (wanted.delete(key)) rig.feed.unwant(key);
          else if (rig.feed.want(key) === "ok") wanted.add(key);
        }
        await rig.pass(5);
        const { links } = rig.feed.stats();
        assert.ok(links.length <= LINKS_MAX, `${links.length} links`);
        assert.ok(
          links.every(({ keys }) => keys <= 3),
          "keys of a link",
        );
      }
      for (const key of BAD) if (wanted.delete(key)) rig.feed.unwant(key);
      const all = [...LASTING, ...wanted];
      await rig.until("all that are wanted", () => rig.isServedAmongOthers(...all));
      await rig.pass(5000);
      rig.publish(...all);
      await rig.until("their last events", () =>
        all.every((key) => rig.lastOf(key) === rig.lastPublished(key)),
      );
      assert.ok(rig.server.streamsPeak <= LINKS_MAX, `${rig.server.streamsPeak} streams`);
      assert.ok(
        asked.every((keys) => keys.length <= 3 && new Set(keys).size === keys.length),
        "no request asks for more",
      );
      assert.ok(
        asked.some((keys) => keys.length > 1 && keys.some((key) => key.startsWith("BAD"))),
        "bad keys were among others",
      );
      assert.equal(rig.gaps.filter(({ topics }) => topics.some(isLasting)).length, 0);
      rig.assertExact(LASTING);
      rig.assertNoneTwice();
    });
  }
});

describe("full pool, and a key that the feed had rejected", () => {
  test("full pool: with every place taken since, the key is given up and told, and comes in when there is room", async () => {
    const late = await LateKey.openAlone(100);
    await using rig = late.rig;
    rig.feed.want("LATE");
    await rig.until("the rejection", () => rig.feed.stats().keysQuarantined === 1);
    for (const key of ["A", "B"]) assert.equal(rig.feed.want(key), "ok");
    await rig.until("the others", () => rig.isServed("A", "B"));
    late.isBad = false;
    await rig.until("the refusal", () => rig.refused.length > 0);
    assert.deepEqual(rig.refused, ["/quotes/LATE"]);
    assert.equal(rig.feed.stats().keysWanted, 2);
    assert.equal(rig.feed.want("LATE"), "full");
    rig.feed.unwant("A");
    assert.equal(rig.feed.want("LATE"), "ok", "what lingers gives way");
    await rig.until("it", () => rig.isServed("B", "LATE"));
    assert.deepEqual(rig.refused, ["/quotes/LATE"]);
    assert.equal(rig.gaps.length, 0);
  });

  test("full pool: what lingers gives way to the key when its time comes", async () => {
    const late = await LateKey.openAlone(600_000);
    await using rig = late.rig;
    rig.feed.want("LATE");
    await rig.until("the rejection", () => rig.feed.stats().keysQuarantined === 1);
    for (const key of ["A", "B"]) rig.feed.want(key);
    await rig.until("the others", () => rig.isServed("A", "B"));
    rig.feed.unwant("A");
    late.isBad = false;
    await rig.until("it", () => rig.isServed("B", "LATE"));
    assert.deepEqual(rig.refused, []);
  });

  test("full pool: where no link can resume it is asked for among others, ever more rarely, until it flows", async () => {
    const late = await LateKey.open({
      server: { ids: false, marksStart: false },
      pool: { keysPerLink: 2, linksMax: 2 },
      retryMaxMs: 1000,
    });
    await using rig = late.rig;
    for (const key of ["A", "B", "C"]) rig.feed.want(key);
    await rig.until("the good ones", () => rig.isServed("A", "B", "C"));
    rig.publish("A", "B", "C");
    await rig.caughtUp();
    rig.feed.want("LATE");
    await rig.until("the conviction", () => rig.feed.stats().keysQuarantined === 1);
    const before = late.asked;
    await rig.pass(31_000);
    // After 1, 2, 4, 8 and 8 s.
    assert.ok(late.asked - before >= 4 && late.asked - before <= 6, `${late.asked - before} requests`);
    late.isBad = false;
    await rig.until("all", () => rig.isServed("A", "B", "C", "LATE"));
    rig.publish("A", "B", "C", "LATE");
    await rig.caughtUp();
    assert.deepEqual(rig.refused, []);
    assert.ok(rig.server.streamsPeak <= 2, `${rig.server.streamsPeak} streams`);
  });
});

/** A feed that rejects a key until it is told to know it. */
class LateKey {
  readonly rig: FeedRig;
  isBad = true;
  asked = 0;

  private constructor(rig: FeedRig) {
    this.rig = rig;
    rig.server.script = (request, response) => {
      if (!request.url?.includes("LATE")) return false;
      this.asked++;
      if (this.isBad) response.writeHead(404).end();
      return this.isBad;
    };
  }

  static async open(options: FeedRigOptions): Promise<LateKey> {
    return new LateKey(await FeedRig.open(options));
  }

  /** With two links of one key each. */
  static openAlone(lingerMs: number): Promise<LateKey> {
    return LateKey.open({ path: "/quotes?symbols={key}", key: null, pool: { linksMax: 2, lingerMs } });
  }
}

function isLasting(topic: string): boolean {
  return LASTING.includes(topic.replace("/quotes/", ""));
}
