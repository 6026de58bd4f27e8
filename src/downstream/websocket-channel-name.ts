import { CentrifugeError } from "#protocol/centrifuge-codes.ts";
import { topicFault } from "#protocol/topic.ts";
import { compileMatcher, type TopicMatcher } from "#protocol/topic-matcher.ts";

/** Wildcards, groups, and names at a segment's start: what a client that took channels for patterns would write. */
const PATTERN = /[*{]|(?:^|\/):[\p{ID_Start}$_]/u;

/** The matcher of the one topic that a channel is, or the error to reply. */
export function channelMatcher(channel: string): TopicMatcher | CentrifugeError {
  if (PATTERN.test(channel)) return CentrifugeError.unknown_channel;
  if (topicFault(channel) !== null) return CentrifugeError.bad_request;
  return compileMatcher("exact", channel);
}
