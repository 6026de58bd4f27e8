/** Times of a worker, in microseconds. */

/**
 * The machine's monotonic clock, which all its processes share: an event's way from one to another is a difference of two.
 * `performance.now()` costs a fraction of `process.hrtime`, and counts from the start of the process.
 */
export function nowUs(): number {
  return BASE_US + performance.now() * 1000;
}

/** CPU of this process since its start, user and system. */
export function ownCpuUs(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Its zero on the machine's clock: of several tries the largest, since being interrupted between the two readings lowers it. */
const BASE_US = Math.max(
  ...Array.from({ length: 50 }, () => {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1e6 + nanoseconds / 1000 - performance.now() * 1000;
  }),
);
