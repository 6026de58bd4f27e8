import { createServer, type Socket } from "node:net";

/** What a server says once it takes a client in: AuthenticationOk and ReadyForQuery (PostgreSQL, "Message Formats"). */
const WELCOME = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0, 0x5a, 0, 0, 0, 5, 0x49]);

/** A PostgreSQL server that takes clients in and answers nothing: as one whose host died, or is cut off, looks. */
export class SilentPostgres implements AsyncDisposable {
  /** Connections taken in, ever. */
  taken = 0;
  /** Ends a connection upon what is asked on it, instead of being silent. */
  isRude = false;
  readonly #open = new Set<Socket>();
  readonly #server = createServer({ allowHalfOpen: true });

  static async open(): Promise<SilentPostgres> {
    const silent = new SilentPostgres();
    silent.#server.on("connection", (socket) => silent.#take(socket));
    await new Promise<void>((resolve) => silent.#server.listen(0, "127.0.0.1", resolve));
    return silent;
  }

  get url(): string {
    const address = this.#server.address();
    return `postgres://ada@127.0.0.1:${typeof address === "object" ? address?.port : ""}/db`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #take(socket: Socket): void {
    this.taken++;
    this.#open.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => this.#open.delete(socket));
    socket.once("data", () => {
      socket.write(WELCOME);
      // Goodbyes are not answered either: hence `allowHalfOpen`.
      socket.on("data", () => {
        if (this.isRude) socket.destroy();
      });
    });
  }
}
