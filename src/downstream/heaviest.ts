/** What a connection costs, for choosing whom to send away when memory runs short. */
export interface Weighed {
  readonly queuedBytes: number;
  readonly subscriberCount: number;
}

/** What a connection and each of its subscribers cost beside its queue, in bytes. Measured roughly, rounded up. */
export const CONNECTION_BYTES = 8 * 1024;
const SUBSCRIBER_BYTES = 400;

/**
 * The heaviest connections that together make up a share of the weight of all; at least one, where there is one. Pure.
 *
 * @param share over 0 and up to 1
 */
export function heaviest<Item extends Weighed>(connections: Iterable<Item>, share: number): Item[] {
  const weighed = Array.from(connections, (connection) => ({ connection, bytes: weightOf(connection) }));
  weighed.sort((one, other) => other.bytes - one.bytes);
  let left = share * weighed.reduce((sum, { bytes }) => sum + bytes, 0);
  const picked: Item[] = [];
  for (const { connection, bytes } of weighed) {
    if (left <= 0) break;
    picked.push(connection);
    left -= bytes;
  }
  return picked;
}

function weightOf({ queuedBytes, subscriberCount }: Weighed): number {
  return CONNECTION_BYTES + queuedBytes + SUBSCRIBER_BYTES * subscriberCount;
}
