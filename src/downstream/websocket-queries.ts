import { mayReceive, maySubscribe } from "#auth/policy.ts";
import type { Subscription } from "#hub/hub.ts";
import { CentrifugeError } from "#protocol/centrifuge-codes.ts";
import type { Command } from "#protocol/centrifuge-command.ts";
import { encodeReply, encodeReplyWithPublications, publicationsIn } from "#protocol/centrifuge-encode.ts";
import { WireFormat } from "#protocol/event.ts";
import { Connection } from "./connection.ts";
import type { Desk } from "./desk.ts";
import { Channel, type SessionClient } from "./websocket-channel.ts";
import { channelMatcher } from "./websocket-channel-name.ts";
import { REPLY_BYTES_MAX, REPLY_PUBLICATIONS_MAX } from "./websocket-channels.ts";

/** Most clients that `presence` names. Where there are more, `presence_stats` still counts them. */
export const PRESENCE_CLIENTS_MAX = 1000;

type Of<Kind extends Command["kind"]> = Extract<Command, { kind: Kind }>;

/** Commands that only look. Each replies, or answers the error to reply. */

/** Held events of a topic. A position that the log no longer reaches back to is an error: no silent gap. */
export function history(desk: Desk, client: SessionClient, command: Of<"history">): CentrifugeError | null {
  const { hub } = desk;
  const matcher = channelMatcher(command.channel);
  if (typeof matcher === "number") return matcher;
  if (!maySubscribe(client.identity, matcher, desk.access)) return CentrifugeError.permission_denied;
  const { since, reverse } = command;
  if (since !== null) {
    const isReachable = reverse || hub.openReader([matcher], since.offset) !== null;
    if (since.epoch !== hub.epoch || !isReachable) return CentrifugeError.unrecoverable_position;
  }
  const limit = command.limit < 0 ? REPLY_PUBLICATIONS_MAX : Math.min(command.limit, REPLY_PUBLICATIONS_MAX);
  const query = { limit, reverse };
  const events = hub.history(
    command.channel,
    since === null ? query : { ...query, afterSequence: since.offset },
  );
  const frames: Buffer[] = [];
  let bytes = 0;
  for (const event of events) {
    if (bytes >= REPLY_BYTES_MAX) break;
    if (!mayReceive(client.identity, event, matcher, desk.access)) continue;
    const frame = event.frame(WireFormat.centrifugeJson, command.channel);
    bytes += frame.length;
    frames.push(frame);
  }
  const position = { epoch: hub.epoch, offset: hub.head };
  const publications = publicationsIn(frames, command.channel);
  client.enqueue(encodeReplyWithPublications(command.id, "history", position, publications));
  return null;
}

/** Who subscribes to exactly this topic here, by either transport. */
export function presence(
  desk: Desk,
  client: SessionClient,
  command: Of<"presence" | "presence_stats">,
): CentrifugeError | null {
  const matcher = channelMatcher(command.channel);
  if (typeof matcher === "number") return matcher;
  // Names of users are for those whose role has the topic, not for everyone whom an open topic is open to.
  const { identity } = client;
  if (identity.kind === "anonymous" || !identity.subscribe.covers(command.channel)) {
    return CentrifugeError.permission_denied;
  }
  const isWhole = command.kind === "presence";
  const clients: Record<string, { client: string; user: string }> = {};
  const users = new Set<string>();
  let count = 0;
  for (const subscription of desk.hub.subscribersOf(command.channel)) {
    const who = subscriberOf(subscription);
    if (who === null) continue;
    count++;
    users.add(who.identity.user);
    if (!isWhole) continue;
    if (count > PRESENCE_CLIENTS_MAX) return CentrifugeError.limit_exceeded;
    clients[who.id] = { client: who.id, user: who.identity.user };
  }
  const result = isWhole ? { presence: clients } : { num_clients: count, num_users: users.size };
  client.enqueue(encodeReply(command.id, command.kind, result));
  return null;
}

/** Whose subscription it is; null: no connection's. */
export function subscriberOf({
  sink,
}: Subscription): Pick<SessionClient, "id" | "identity" | "closed"> | null {
  if (sink instanceof Channel) return sink.client;
  return sink instanceof Connection ? sink : null;
}
