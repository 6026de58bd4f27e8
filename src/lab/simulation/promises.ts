/** What the gateway promises, as far as a simulation can tell. Each break of one names it. */
export const PROMISES = {
  lost: "an event reaches every subscriber, or it is told that events are missing",
  doubled: "no event comes twice",
  order: "events come in their order",
  forged: "what comes was published, and is what was published",
  gap: "who may miss events is told so, before the next one",
  late: "an event reaches who is there within seconds",
  links: "no feed has more links than pool.linksMax, and one more for a moment",
  attempt: "what is wanted is always carried, or tried for",
  jitter: "links that failed together do not try again together",
  bounds: "queues and the log keep within their bounds",
  books: "the books agree: opened less closed is open, and sums are sums",
  sweep: "the sweep finds nothing",
  silence: "a stream that lives is heard of",
  refusal: "a client that may come in is never told to go away for good",
  restart: "the next life resumes where the last one stood",
  drain: "a drain ends by its deadline, and everybody is told",
  released: "what nobody needs any more is released",
  crash: "nothing throws",
} as const;
export type PromiseName = keyof typeof PROMISES;

/** A promise that was broken, and where in the run. */
export interface BrokenPromise {
  readonly promise: PromiseName;
  readonly detail: string;
  readonly step: number;
  /** Milliseconds since the run's start. */
  readonly atMs: number;
}
