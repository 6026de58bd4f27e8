import { createServer } from "node:net";

/** Accepts connections; says a given text once it is asked, and ends, or says nothing at all. */
export class SilentServer implements AsyncDisposable {
  bytes = 0;
  readonly #server = createServer();

  static async open(text?: string): Promise<SilentServer> {
    const silent = new SilentServer();
    silent.#server.on("connection", (socket) => {
      socket.on("error", () => {});
      socket.on("data", (chunk) => {
        silent.bytes += chunk.length;
        if (text !== undefined) socket.end(text);
      });
    });
    await new Promise<void>((resolve) => silent.#server.listen(0, "127.0.0.1", resolve));
    return silent;
  }

  get origin(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
