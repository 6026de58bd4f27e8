import assert from "node:assert/strict";
import { test } from "node:test";
import { compileMatcher, type TopicMatcher } from "#protocol/topic-matcher.ts";
import { PatternBook } from "./pattern-book.ts";
import { Topic } from "./topic.ts";

function bookOf(...names: string[]) {
  const topics = names.map((name) => new Topic(name, 0));
  const book = new PatternBook(() => topics);
  const matched = (topic: Topic) => book.of(topic).map(({ matcher }) => matcher.pattern);
  return { book, topics: topics as [Topic, ...Topic[]], matched };
}

const urlPattern = (pattern: string) => compileMatcher("urlpattern", pattern);

/** A matcher that counts how often it is tried. */
function counting(matcher: TopicMatcher) {
  const tries: string[] = [];
  const counted = { ...matcher, matches: (topic: string) => tries.push(topic) > 0 && matcher.matches(topic) };
  return { tries, matcher: counted };
}

test("patterns: each is tried once on a topic, when that is asked about, whichever of the two came first", () => {
  const { book, topics, matched } = bookOf("/a/1", "/b/1");
  const [first, second] = topics as unknown as [Topic, Topic];
  const early = counting(urlPattern("/a/*"));
  book.groupOf(early.matcher);
  assert.deepEqual(early.tries, [], "subscribing tries nothing");
  assert.deepEqual(matched(first), ["/a/*"]);
  const late = counting(urlPattern("/*"));
  book.groupOf(late.matcher);
  for (let again = 0; again < 3; again++) {
    assert.deepEqual(matched(first), ["/a/*", "/*"]);
    assert.deepEqual(matched(second), ["/*"]);
  }
  assert.deepEqual(
    [early.tries, late.tries],
    [
      ["/a/1", "/b/1"],
      ["/a/1", "/b/1"],
    ],
  );
});

test("patterns: one that is gone matches nothing more, and is another when it comes back", () => {
  const { book, topics, matched } = bookOf("/a/1");
  const [topic] = topics;
  const gone = book.groupOf(urlPattern("/a/*"));
  book.groupOf(urlPattern("/*"));
  assert.equal(matched(topic).length, 2);
  book.forget(gone);
  assert.deepEqual(matched(topic), ["/*"]);
  const back = book.groupOf(urlPattern("/a/*"));
  assert.notEqual(back, gone);
  assert.deepEqual(matched(topic), ["/*", "/a/*"]);
  book.forget(gone);
  assert.equal(book.size, 2, "to forget the old one again takes nothing from the new one");
});

test("patterns: topics that nobody asks about hold on to none that are gone", () => {
  const { book, topics } = bookOf("/a/1");
  const [topic] = topics;
  const groups = Array.from({ length: 200 }, (_, index) => book.groupOf(urlPattern(`/a/1*#${index}*`)));
  for (const group of groups) Object.assign(group.matcher, { matches: () => true });
  book.of(topic);
  for (const group of groups.slice(0, 199)) book.forget(group);
  assert.ok(topic.patterns.length < 130, `${topic.patterns.length} are held`);
  book.forget(groups[199] as never);
  assert.equal(topic.patterns.length, 0, "with the last one all are let go");
});

test("attack: patterns that are costly to match are bounded together, those that somebody has are free", () => {
  const { book } = bookOf();
  const costly = (index: number) => urlPattern(`/:a*:b*:c*${index}`);
  assert.ok(costly(0).isCostly);
  const groups = Array.from({ length: 256 }, (_, index) => {
    assert.ok(book.hasRoomFor([costly(index)]), `${index}`);
    return book.groupOf(costly(index));
  });
  assert.equal(book.hasRoomFor([costly(256)]), false);
  assert.equal(
    book.hasRoomFor([costly(7), urlPattern("/users/42/*"), urlPattern("/chat/:room/:message")]),
    true,
  );
  book.forget(groups[0] as never);
  assert.equal(book.hasRoomFor([costly(256)]), true);
  assert.equal(book.hasRoomFor([costly(256), costly(257)]), false);
});
