import assert from "node:assert/strict";
import { test } from "node:test";
import { MercureServer } from "../../test/helpers/mercure-server.ts";

const topicsOf = (events: readonly { readonly event?: string | undefined; readonly data: string }[]) =>
  events.filter(({ event }) => event === "gap").map(({ data }) => JSON.parse(data).topics as string[]);

test("gap: who subscribes by pattern is told the topics that it may have, of many the pattern, and of none nothing", async () => {
  await using server = await MercureServer.open();
  const token = server.token("ann", { subscribe: ["/quotes/1", "/quotes/2"] });
  const other = server.token("bob", { subscribe: ["/news/*"] });
  using ann = await server.client("match_urlpattern=/quotes/*", { token });
  using same = await server.client("match_urlpattern=/quotes/*", { token });
  using bob = await server.client("match_urlpattern=/quotes/*", { token: other });
  server.hub.markGap(["/quotes/1", "/quotes/2", "/quotes/3"], true);
  server.hub.markGap(
    Array.from({ length: 300 }, (_, index) => `/quotes/${index}`),
    true,
  );
  server.hub.markGap(["/quotes/3"], true);
  server.publish("/quotes/1", "x", { private: true });
  for (const client of [ann, same]) {
    await client.until(() => client.events.some(({ data }) => data === "x"));
    assert.deepEqual(topicsOf(client.events), [["/quotes/1", "/quotes/2"], ["/quotes/*"]]);
  }
  server.publish("/news/1", "y");
  using news = await server.client("match=/news/1", { token: other });
  assert.equal(news.status, 200);
  assert.deepEqual(topicsOf(bob.events), []);
});

test("gap: of several selectors the topics are told together, each once", async () => {
  await using server = await MercureServer.open();
  const token = server.token("ann", { subscribe: ["*"] });
  using client = await server.client("match=/q/1&match_urlpattern=/q/*&match=/r/1", { token });
  server.hub.markGap(["/q/1", "/q/2", "/r/1"], false);
  await client.data(1);
  const [topics] = topicsOf(client.events);
  assert.deepEqual(topics?.toSorted(), ["/q/1", "/q/2", "/r/1"]);
});
