/** Longest topic name and topic pattern, in UTF-16 code units. */
export const TOPIC_LENGTH_MAX = 1024;

/** C0, DEL, C1, format characters (Cf) and lone surrogates: Mercure forbids the first ones in topics; the last can't be sent. */
const FORBIDDEN = /[\p{Cc}\p{Cf}\p{Cs}]/u;

/** What is wrong with a topic's name, in words for the one who sent it; null for a good name. */
export function topicFault(topic: string): string | null {
  if (topic === "") return "a topic can't be empty";
  if (topic.length > TOPIC_LENGTH_MAX) return `a topic can't be longer than ${TOPIC_LENGTH_MAX} characters`;
  if (FORBIDDEN.test(topic)) return "a topic can't hold control or format characters";
  if (topic === "*") return "'*' is not a topic: it stands for every topic";
  return null;
}

/** Topics that the gateway tells administrators of itself with. Nobody may publish to them. */
export const RESERVED_TOPICS = "/.streamkeeper/";

export function isReservedTopic(topic: string): boolean {
  return topic.startsWith(RESERVED_TOPICS);
}
