/** A small wrong turn in one file of ours, such as anybody could take. */
export interface Mutation {
  readonly name: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly old: string;
  readonly replacement: string;
}

/** What the simulation must find out. */
export const MUTATIONS: readonly Mutation[] = [
  {
    name: "a replay begins one event early",
    file: "src/hub/log-reader.ts",
    old: "this.#places = topics.map((topic) => ({ topic, last: null, next: null }));\n    this.#position = afterSequence;",
    replacement:
      "this.#places = topics.map((topic) => ({ topic, last: null, next: null }));\n    this.#position = afterSequence - 1;",
  },
  {
    name: "a stream resumes from the wrong cursor",
    file: "src/downstream/sse-resume.ts",
    old: "return cursor.epoch === hub.epoch ? cursor.sequence : null;",
    replacement: "return cursor.epoch === hub.epoch ? Math.min(cursor.sequence + 1, hub.head) : null;",
  },
  {
    name: "a hand-over drops what the new link brought first",
    file: "src/upstream/handover.ts",
    old: "return ahead.map((each) => each.event);",
    replacement: "return ahead.slice(ahead.length).map((each) => each.event);",
  },
  {
    name: "backoff has no jitter",
    file: "src/base/backoff.ts",
    old: "return random() * backoffWindowMs(attempt, bounds);",
    replacement: "return backoffWindowMs(attempt, bounds);",
  },
  {
    name: "two links own a key",
    file: "src/upstream/routes.ts",
    old: "if (route.seat !== seat && handover?.heir !== seat) {",
    replacement: "if (false) {",
  },
  {
    name: "a gap is not told",
    file: "src/hub/gap-round.ts",
    old: "for (const [sink, parts] of this.#told) sink.gap?.({",
    replacement: "for (const [sink, parts] of []) sink.gap?.({",
  },
  {
    name: "the breaker gives up",
    file: "src/upstream/breaker.ts",
    old: "const windowMs = backoffWindowMs(trips, settings);",
    replacement: "const windowMs = Number.POSITIVE_INFINITY;",
  },
  {
    name: "an unsubscribe is lost on its way to the feed",
    file: "src/hub/hub.ts",
    old: "this.#demand?.unwanted(topic.name);",
    replacement: "",
  },
  {
    name: "a channel forgets to leave the hub",
    file: "src/downstream/websocket-channel.ts",
    old: "this.#subscription?.close();",
    replacement: "",
  },
  {
    name: "the queue's bound is ignored",
    file: "src/downstream/slow-consumer.ts",
    old: "if (queuedBytes > queueBytesMax) return SlowVerdict.disconnect;",
    replacement: "",
  },
  {
    name: "a drain forgets the last client",
    file: "src/app/drain.ts",
    old: "if (going.length === count) break;",
    replacement: "if (going.length + 1 === count) break;",
  },
  {
    name: "a connection's deadline is not disarmed",
    file: "src/downstream/connection.ts",
    old: "this.desk.wheel.disarm(this);",
    replacement: "",
  },
  {
    name: "a heartbeat is sent once",
    file: "src/downstream/sse-connection.ts",
    old: "this.enqueue(heartbeatFrame(hub, reached, this.#heartbeatEvents));\n      this.#arm(heartbeat.intervalMs);",
    replacement: "this.enqueue(heartbeatFrame(hub, reached, this.#heartbeatEvents));",
  },
  {
    name: "linksMax is one too many, twice",
    file: "src/upstream/placement.ts",
    old: "(live < linksMax - 1 || (live < linksMax && !hasRoom))",
    replacement: "live < linksMax + 3",
  },
  {
    name: "last event ids are not kept",
    file: "src/upstream/cursor-keeper.ts",
    old: 'const id = loaded?.get(key) ?? "";',
    replacement: 'const id = loaded?.get(key) === undefined ? "" : "";',
  },
  {
    name: "a link forgets where it stood",
    file: "src/upstream/link.ts",
    old: "this.#stream = new EventStream(request.lastEventId,",
    replacement: 'this.lastEventId = ""; this.#stream = new EventStream("",',
  },
  {
    name: "whoever leaves is counted on",
    file: "src/downstream/connection-registry.ts",
    old: "decrement(this.#ofAddress, connection.address);",
    replacement: "",
  },
  {
    name: "a blocked connection is not written to again",
    file: "src/downstream/connection.ts",
    old: "  drained(): void {\n    this.#blockedSinceMs = null;",
    replacement: "  drained(): void {",
  },
];
