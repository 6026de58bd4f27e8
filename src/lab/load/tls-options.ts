import { createSecureContext, type SecureContext } from "node:tls";
import type { LoadTarget } from "./target.ts";

/** TLS options of a connection to a target. */
export function tlsOptions(target: LoadTarget): { servername: string; secureContext: SecureContext } {
  let secureContext = contexts.get(target);
  if (secureContext === undefined) {
    secureContext = createSecureContext(target.ca === undefined ? {} : { ca: [...target.ca] });
    contexts.set(target, secureContext);
  }
  return { servername: target.servername, secureContext };
}

/** One for all connections: reading a whole list of authorities for each would cost more than the connection. */
const contexts = new WeakMap<LoadTarget, SecureContext>();
