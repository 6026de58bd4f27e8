import { connect, type Socket } from "node:net";
import { Subscriber } from "./subscriber.ts";

/** A subscriber by Mercure on a raw socket, as lean as it can be, so that thousands fit into a process. */
export class SseSubscriber extends Subscriber {
  readonly transport = "sse";
  #socket: Socket | null = null;
  #lastEventId = "";
  #rest = "";
  #isInHead = true;

  protected override connect(): void {
    const { host, port, token } = this.door;
    const socket = connect({ host, port, noDelay: true });
    this.#socket = socket;
    this.#rest = "";
    this.#isInHead = true;
    const resume = this.#lastEventId === "" ? "" : `Last-Event-ID: ${this.#lastEventId}\r\n`;
    if (resume !== "") this.returns++;
    socket.write(
      `GET /.well-known/mercure?match=/quotes/${this.key} HTTP/1.1\r\nHost: ${host}:${port}\r\n` +
        `Accept: text/event-stream\r\nAuthorization: Bearer ${token}\r\n${resume}\r\n`,
    );
    socket.setEncoding("utf8");
    let fault = "";
    socket.on("data", (text: string) => {
      if (socket === this.#socket) this.#take(text);
    });
    socket.on("error", (error) => {
      fault = error.message;
    });
    socket.on("close", () => {
      if (socket !== this.#socket) return;
      this.#socket = null;
      this.cut(this.#isInHead ? `not let in: ${this.#rest.slice(0, 80)} ${fault}` : `stream ended ${fault}`);
    });
  }

  protected override disconnect(): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.resetAndDestroy();
  }

  protected override forgetCursor(): void {
    this.#lastEventId = "";
  }

  #take(text: string): void {
    this.#rest += text;
    if (this.#isInHead && !this.#readHead()) return;
    let start = 0;
    for (;;) {
      const end = this.#rest.indexOf("\n\n", start);
      if (end < 0) break;
      this.#block(this.#rest.slice(start, end));
      start = end + 2;
    }
    if (start > 0) this.#rest = this.#rest.slice(start);
  }

  #readHead(): boolean {
    const end = this.#rest.indexOf("\r\n\r\n");
    if (end < 0) return false;
    if (!this.#rest.startsWith("HTTP/1.1 200")) {
      this.#socket?.destroy();
      return false;
    }
    this.#rest = this.#rest.slice(end + 4);
    this.#isInHead = false;
    this.subscribed();
    return true;
  }

  #block(block: string): void {
    let type = "";
    let data = "";
    for (const line of block.split("\n")) {
      if (line.startsWith("data: ")) data = line.slice(6);
      else if (line.startsWith("id: ")) this.#lastEventId = line.slice(4);
      else if (line.startsWith("event: ")) type = line.slice(7);
    }
    if (type === "gap") this.ledger.tell();
    else if (type === "" && data !== "") this.ledger.take(JSON.parse(data).seq as number);
  }
}
