import type { StreamEvent } from "./event-stream.ts";
import { compileJsonPointer, type JsonPointer } from "./json-pointer.ts";
import type { FeedEvent, FeedSettings } from "./ports.ts";
import { compileTopicTemplate, type TopicTemplate } from "./topic-template.ts";

/** Why an event, or an item of one, has no topic. The link stays, whatever its feed sends. */
export const MappingFault = {
  /** The event's data is not JSON, and `items` or `key` ask for it. */
  not_json: "not_json",
  /** `items` points at no array. */
  bad_items: "bad_items",
  /** `key` points at no text and no number. */
  no_key: "no_key",
  /** The key makes no valid topic: empty, too long, or with forbidden characters. */
  bad_topic: "bad_topic",
  /** An item is nested too deeply to be written as JSON again. */
  too_deep: "too_deep",
  /** The event has more than `ITEMS_MAX` items, none of which is taken. */
  too_many_items: "too_many_items",
  /** The event's type is longer than `TYPE_LENGTH_MAX`. */
  type_too_long: "type_too_long",
} as const;
export type MappingFault = (typeof MappingFault)[keyof typeof MappingFault];

/**
 * Of which events each fault loses something that subscribers must be told of: `any`, since it would have been understood;
 * `known_type`: of those of a type that keys have had events of, since others are the feed's own business; `none`: what
 * makes no topic is nobody's loss.
 */
export const FAULT_LOSSES: Readonly<Record<MappingFault, "any" | "known_type" | "none">> = {
  not_json: "known_type",
  bad_items: "known_type",
  no_key: "known_type",
  bad_topic: "none",
  too_deep: "any",
  too_many_items: "any",
  type_too_long: "any",
};

/** Most items of one event. They are handed on in one turn, during which nothing else is done. */
export const ITEMS_MAX = 10_000;

/** Longest type of an event, in UTF-16 code units. */
export const TYPE_LENGTH_MAX = 1024;

/** What comes of an event. */
export interface MappingSink {
  item(event: FeedEvent): void;
  fault(fault: MappingFault): void;
}

export interface Mapping {
  readonly topics: TopicTemplate;
  /**
   * Hands on each of the event's items, in order, and each fault. Data is passed through as it came, unless `items`
   * takes it apart.
   *
   * @param linkKey the only key of the link that it came by, where links have one; else null
   */
  map(event: StreamEvent, linkKey: string | null, sink: MappingSink): void;
  /** Topics that events have had lately. */
  topicsSeen(): Iterable<string>;
}

/** Topics of keys that are remembered, so that a known key costs a lookup and no encoding. */
const TOPICS_REMEMBERED_MAX = 16_384;

/** @throws CodedError `json_pointer_invalid`, `topic_template_invalid` */
export function createMapping(
  settings: Pick<FeedSettings, "topic" | "items" | "key" | "state" | "access">,
): Mapping {
  const topics = compileTopicTemplate(settings.topic);
  const items = settings.items === null ? null : compileJsonPointer(settings.items);
  const key = settings.key === null || !topics.hasKey ? null : compileJsonPointer(settings.key);
  const remembered = new Map<string, string>();

  const topicOf = (name: string): string | null => {
    const known = remembered.get(name);
    if (known !== undefined) return known;
    const topic = topics.expand(name);
    if (topic === null) return null;
    if (remembered.size >= TOPICS_REMEMBERED_MAX) remembered.clear();
    remembered.set(name, topic);
    return topic;
  };

  const isPrivate = settings.access === "private";
  const handOn = (key: string | null, data: string, type: string, sink: MappingSink): void => {
    const topic = key === null ? null : topicOf(key);
    if (key === null) sink.fault("no_key");
    else if (topic === null) sink.fault("bad_topic");
    else sink.item({ topic, key, data, type, state: settings.state, private: isPrivate });
  };

  return {
    topics,
    topicsSeen: () => remembered.values(),
    map(event, linkKey, sink) {
      if (event.type.length > TYPE_LENGTH_MAX) {
        sink.fault("type_too_long");
        return;
      }
      const fixedKey = topics.hasKey ? linkKey : "";
      if (items === null && key === null) {
        handOn(fixedKey, event.data, event.type, sink);
        return;
      }
      const document = parseJson(event.data);
      if (document === undefined) {
        sink.fault("not_json");
        return;
      }
      if (items === null) {
        handOn(keyOf(document, key, fixedKey), event.data, event.type, sink);
        return;
      }
      const list = items(document);
      if (!Array.isArray(list)) {
        sink.fault("bad_items");
        return;
      }
      if (list.length > ITEMS_MAX) {
        sink.fault("too_many_items");
        return;
      }
      for (const item of list) {
        const data = textOf(item);
        if (data === null) sink.fault("too_deep");
        else handOn(keyOf(item, key, fixedKey), data, event.type, sink);
      }
    },
  };
}

function keyOf(item: unknown, key: JsonPointer | null, fixedKey: string | null): string | null {
  if (key === null) return fixedKey;
  const value = key(item);
  if (typeof value === "string") return value;
  return typeof value === "number" ? String(value) : null;
}

/** JSON has no undefined, so it can stand for what is not JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Null: what JSON.parse takes at any depth, JSON.stringify does not. */
function textOf(item: unknown): string | null {
  try {
    return JSON.stringify(item);
  } catch {
    return null;
  }
}
