import type { DownstreamLimits } from "./desk.ts";

/** Why a connection is not let in; null where it is. */
export type AdmissionVerdict =
  | "draining"
  | "memory"
  | "connections"
  | "connectionsPerUser"
  | "connectionsPerAddress"
  | "connectionsPerSecond"
  | null;

export interface Occupancy {
  readonly connections: number;
  readonly ofUser: number;
  readonly ofAddress: number;
  readonly draining: boolean;
  /** Set while memory is short. */
  readonly refusing: "memory" | null;
}

/** Whether one more connection is let in. Pure. */
export function admit(occupancy: Occupancy, limits: DownstreamLimits): AdmissionVerdict {
  if (occupancy.draining) return "draining";
  if (occupancy.refusing !== null) return occupancy.refusing;
  if (occupancy.connections >= limits.connections) return "connections";
  if (occupancy.ofAddress >= limits.connectionsPerAddress) return "connectionsPerAddress";
  if (occupancy.ofUser >= limits.connectionsPerUser) return "connectionsPerUser";
  return null;
}
