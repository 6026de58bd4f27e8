import type { Broken } from "./checks.ts";
import { GatewayError, type GatewayProcess } from "./gateway-process.ts";

/**
 * What a look into the gateway found; null where there is none to be had. A life that ends meanwhile is none, and is told
 * as its end; a gateway that lives and can't be looked at breaks a promise. What else is thrown is the soak's own.
 *
 * @param current the gateway that runs; null between two lives
 */
export async function lookInside<Found, Gateway extends Pick<GatewayProcess, "isRunning">>(
  current: () => Gateway | null,
  look: (gateway: Gateway) => Promise<Found>,
  broken: (broken: Broken) => void,
): Promise<Found | null> {
  const gateway = current();
  if (gateway === null || !gateway.isRunning) return null;
  try {
    return await look(gateway);
  } catch (thrown) {
    if (!(thrown instanceof GatewayError)) throw thrown;
    if (gateway.isRunning && gateway === current())
      broken({ promise: "process", detail: `it could not be looked at: ${thrown.message}` });
    return null;
  }
}
