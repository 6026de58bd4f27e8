/**
 * Most bytes that a socket is given at once, but for one frame. What was given can't be seen to move on until all of it
 * is taken, so a client counts as stalled when it takes less than this within `heartbeat.timeout`.
 */
export const WRITE_BYTES_MAX = 256 * 1024;

/** How many of the first frames, and bytes, go in one write; at least one frame. Pure. */
export function writeShare(frames: readonly Buffer[], most: number): { count: number; bytes: number } {
  let count = 1;
  let bytes = frames[0]?.length ?? 0;
  for (; count < frames.length; count++) {
    const { length } = frames[count] as Buffer;
    if (bytes + length > most) break;
    bytes += length;
  }
  return { count, bytes };
}
