import type { LoadPlan } from "#lab/load/plan.ts";
import { DIALECTS, type LoadTarget } from "#lab/load/target.ts";

/** A small load, for tests to change. */
export const LOAD_PLAN: LoadPlan = {
  server: "streamkeeper",
  sse: 6,
  websocket: 6,
  opensPerSecond: 500,
  topics: 3,
  subscriptions: 2,
  publishers: 2,
  eventsPerSecond: 300,
  burst: 3,
  payloadBytes: 100,
  pipeline: 8,
  durationMs: 700,
  settleMs: 5000,
  churnPerSecond: 0,
  resumes: false,
  slow: 0,
  slowBytesPerSecond: 1000,
  connectTimeoutMs: 5000,
  workers: 2,
};

/** Port 9 of this machine, for tests to change. */
export const LOAD_TARGET: LoadTarget = {
  secure: false,
  host: "127.0.0.1",
  port: 9,
  servername: "",
  ca: undefined,
  authority: "127.0.0.1:9",
  dialect: DIALECTS.streamkeeper,
};
