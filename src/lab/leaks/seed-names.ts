/** Leaks that can be sown into a gateway to see whether they are found, each with what it leaves behind. */
export const SEEDED_LEAKS = {
  listener: "a listener on the process for each connection, as on any shared emitter",
  "map-entry": "an entry in a map for each connection that nobody deletes",
  timer: "a timer of a day for each connection",
  closure: "a function in a list for each connection, which holds the connection",
  socket: "a socket for every eighth connection that nobody closes",
  buffer: "a buffer of a kilobyte for each connection",
  promise: "a promise for each connection that nobody settles",
} as const;
export type SeededLeak = keyof typeof SEEDED_LEAKS;

export function isSeededLeak(name: string): name is SeededLeak {
  return Object.hasOwn(SEEDED_LEAKS, name);
}
