import { createSecureContext, type SecureContext } from "node:tls";
import type { FeedTls } from "./ports.ts";

/**
 * A feed's TLS settings, read once for all its connections. Certificates are always verified. The client certificate
 * is a credential: it is shown to the feed's own origins only.
 *
 * @throws the TLS library's error when a certificate or key is refused
 */
export class TlsContexts {
  readonly #own: SecureContext | null;
  readonly #others: SecureContext | null;

  constructor(tls: FeedTls | null) {
    const trust = { minVersion: "TLSv1.2", ...(tls?.ca ? { ca: tls.ca } : {}) } as const;
    this.#others = tls === null ? null : createSecureContext(trust);
    this.#own = tls?.client ? createSecureContext({ ...trust, ...tls.client }) : this.#others;
  }

  /**
   * @param certified whether the client certificate may be shown
   * @returns null: by Node's defaults
   */
  of(certified: boolean): SecureContext | null {
    return certified ? this.#own : this.#others;
  }
}
