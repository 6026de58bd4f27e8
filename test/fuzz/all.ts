import { openCarrierTarget } from "./carrier-target.ts";
import { CLAIMS_TARGET } from "./claims-target.ts";
import { openGatewayTarget } from "./gateway-target.ts";
import { openHttp2Target } from "./http2-target.ts";
import { PROTOCOL_TARGETS } from "./protocol-targets.ts";
import { STORED_LOG_TARGET } from "./stored-log-target.ts";
import type { FuzzTarget } from "./target.ts";
import { openTrustTargets } from "./trust-targets.ts";

export interface AllTargets extends AsyncDisposable {
  readonly targets: readonly FuzzTarget[];
  /** Fails unless the gateways that were fuzzed are well. */
  checkAfter(): Promise<void>;
}

/** Every parser that faces a network, and whole gateways last. */
export async function openAllTargets(): Promise<AllTargets> {
  await using stack = new AsyncDisposableStack();
  const trust = stack.use(await openTrustTargets());
  const carrier = stack.use(await openCarrierTarget());
  const http2 = stack.use(await openHttp2Target());
  const gateway = stack.use(await openGatewayTarget());
  const owned = stack.move();
  return {
    targets: [
      ...PROTOCOL_TARGETS,
      ...trust.targets,
      CLAIMS_TARGET,
      STORED_LOG_TARGET,
      ...carrier.targets,
      ...http2.targets,
      ...gateway.targets,
    ],
    async checkAfter() {
      await http2.checkAfter();
      await gateway.checkAfter();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
