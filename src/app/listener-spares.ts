import { createServer, type Server, type Socket } from "node:net";
import { codeOf } from "#base/errors.ts";

/**
 * Clients that one listening socket keeps until they are accepted; the system may allow fewer (`net.core.somaxconn` is 4,096
 * where nobody has changed it).
 */
const BACKLOG = 4096;
/** Listening sockets beside the first. */
const SPARES = 3;

/**
 * More listening sockets on the port of the first one, among which the system shares what comes in. One keeps some thousands of
 * clients that wait to be accepted, and Node accepts one client of each in a turn of its event loop; of more that come at once, as
 * they do after an outage, the system drops the first packets, and they try again after 1, 3, 7, 15 and 31 seconds.
 */
export class SpareListeners {
  readonly #give: (socket: Socket) => void;
  readonly #allowHalfOpen: boolean;
  readonly #servers: Server[] = [];

  /**
   * @param give takes each socket that is accepted
   * @param allowHalfOpen whether the first one's sockets outlive their client's end: those of HTTP do, and those below TLS don't,
   *   which would never be told of it
   */
  constructor(give: (socket: Socket) => void, allowHalfOpen: boolean) {
    this.#give = give;
    this.#allowHalfOpen = allowHalfOpen;
  }

  /** @param address of the first one, which listens with `reusePort` */
  async open(address: { readonly host: string; readonly port: number }): Promise<void> {
    while (this.#servers.length < SPARES) {
      const server = createServer({ allowHalfOpen: this.#allowHalfOpen, noDelay: true }, this.#give);
      await listen(server, { ...address, reusePort: true });
      this.#servers.push(server);
    }
  }

  /** Stops accepting, and resolves when the last socket that came this way is gone. */
  async close(): Promise<void> {
    await Promise.all(
      this.#servers.map((server) => new Promise<void>((resolve) => void server.close(() => resolve()))),
    );
  }
}

/**
 * Has the server listen in company, if the system can, else alone. Whether another program listens there already is found out
 * first, since a socket that shares its port would be let in beside another gateway's without a word.
 *
 * @returns whether others may listen beside it
 */
export async function listenShared(
  server: Server,
  address: { readonly host: string; readonly port: number },
): Promise<boolean> {
  if (address.port !== 0) {
    const probe = createServer();
    await listen(probe, address);
    await new Promise<void>((resolve) => void probe.close(() => resolve()));
  }
  try {
    await listen(server, { ...address, reusePort: true });
    return true;
  } catch (error) {
    if (!CANNOT_SHARE.has(codeOf(error) ?? "")) throw error;
    await listen(server, address);
    return false;
  }
}

const CANNOT_SHARE: ReadonlySet<string> = new Set([
  "ENOTSUP",
  "EOPNOTSUPP",
  "EINVAL",
  "ENOPROTOOPT",
  "ENOSYS",
]);

function listen(
  server: Server,
  options: { readonly host: string; readonly port: number; readonly reusePort?: boolean },
): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ ...options, backlog: BACKLOG }, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
}
