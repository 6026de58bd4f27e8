import type { DownstreamLimits } from "./desk.ts";

/** Why a connection is not let in; null where it is. */
export type AdmissionVerdict =
  | "draining"
  | "connections"
  | "connectionsPerUser"
  | "connectionsPerAddress"
  | null;

export interface Occupancy {
  readonly connections: number;
  readonly ofUser: number;
  readonly ofAddress: number;
  readonly draining: boolean;
}

/** Whether one more connection is let in. Pure. */
export function admit(occupancy: Occupancy, limits: DownstreamLimits): AdmissionVerdict {
  if (occupancy.draining) return "draining";
  if (occupancy.connections >= limits.connections) return "connections";
  if (occupancy.ofAddress >= limits.connectionsPerAddress) return "connectionsPerAddress";
  if (occupancy.ofUser >= limits.connectionsPerUser) return "connectionsPerUser";
  return null;
}
