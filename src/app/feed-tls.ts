import type { FeedTlsConfig } from "#config/config.ts";
import type { FeedTls } from "#upstream/ports.ts";
import { loadTls, readPem } from "./tls.ts";
import { authorityFaults, TlsError, type TlsFault } from "./tls-pair.ts";

/**
 * Reads a feed's authorities and client certificate, and checks them before a link uses them.
 *
 * @param nowMs wall-clock time, in milliseconds since the Unix epoch
 * @throws TlsError with everything that is wrong, each with the file that it is wrong in
 */
export function loadFeedTls({ ca: file, cert, key }: FeedTlsConfig, nowMs: number): FeedTls {
  const faults: TlsFault[] = [];
  const ca = file === null ? null : readPem(file, faults);
  if (file !== null && ca !== null) faults.push(...authorityFaults(ca, file));
  const client = cert === null || key === null ? null : loadClient(cert, key, nowMs, faults);
  if (faults.length > 0) throw new TlsError(faults);
  return { ca, client };
}

function loadClient(cert: string, key: string, nowMs: number, faults: TlsFault[]): FeedTls["client"] {
  try {
    const { context } = loadTls({ cert, key }, nowMs);
    return { cert: String(context.cert), key: String(context.key) };
  } catch (thrown) {
    if (!(thrown instanceof TlsError)) throw thrown;
    faults.push(...thrown.faults);
    return null;
  }
}
