import { CodedError } from "#base/errors.ts";
import { topicFault } from "#protocol/topic.ts";

/**
 * A feed's topic, with at most one `{key}`. A key is spelt in a topic as in a path segment of a URL (RFC 3986, 3.3):
 * letters, digits and `-._~!$&'()*+,;=:@` stand for themselves, everything else, `/` included, is percent-encoded
 * as UTF-8 with capital digits. So each key has one topic, each topic one key, and `BTC-USD` or `EURUSD=X` stay as
 * they are. `.` and `..` are no keys: a URL would lose them.
 */
export interface TopicTemplate {
  readonly hasKey: boolean;
  /** The key's topic; null when the key can't be spelt, or the topic would not be a valid one. */
  expand(key: string): string | null;
  /** The key of a topic of this template ("" if it has none); null for any other topic. */
  match(topic: string): string | null;
}

const PLACE = "{key}";

/** @throws CodedError `topic_template_invalid` */
export function compileTopicTemplate(template: string): TopicTemplate {
  const [before = "", after, ...more] = template.split(PLACE);
  const sample = after === undefined ? before : `${before}0${after}`;
  const fault = more.length > 0 ? `it can hold ${PLACE} only once` : topicFault(sample);
  if (fault !== null) {
    throw new CodedError(
      "topic_template_invalid",
      `${JSON.stringify(template)} is no topic for a feed: ${fault}`,
    );
  }
  if (after === undefined) {
    return { hasKey: false, expand: () => before, match: (topic) => (topic === before ? "" : null) };
  }
  const expand = (key: string): string | null => {
    if (key === "" || key === "." || key === ".." || !key.isWellFormed()) return null;
    const topic = `${before}${encodeKey(key)}${after}`;
    return topicFault(topic) === null ? topic : null;
  };
  const match = (topic: string): string | null => {
    if (topic.length <= before.length + after.length) return null;
    if (!topic.startsWith(before) || !topic.endsWith(after)) return null;
    const key = decodeKey(topic.slice(before.length, topic.length - after.length));
    return key !== null && expand(key) === topic ? key : null;
  };
  return { hasKey: true, expand, match };
}

function encodeKey(key: string): string {
  return PLAIN.test(key)
    ? key
    : encodeURIComponent(key).replace(/%(?:2[4BC6]|3[ABD]|40)/g, (code) =>
        String.fromCharCode(Number(`0x${code.slice(1)}`)),
      );
}

function decodeKey(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

const PLAIN = /^[A-Za-z0-9\-._~!$&'()*+,;=:@]*$/;
