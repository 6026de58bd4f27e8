import { WebSocket } from "ws";
import { Subscriber } from "./subscriber.ts";

interface Publication {
  readonly data: { readonly seq: number };
  readonly offset: number;
}

interface Message {
  readonly error?: { readonly code: number; readonly message: string };
  readonly connect?: object;
  readonly subscribe?: {
    readonly epoch: string;
    readonly offset: number;
    readonly recovered?: boolean;
    readonly publications?: readonly Publication[];
  };
  readonly push?: {
    readonly pub?: Publication;
    readonly unsubscribe?: { readonly code: number };
  };
}

/** A subscriber by the Centrifuge protocol that recovers from its position, as SDKs do. */
export class WebSocketSubscriber extends Subscriber {
  readonly transport = "websocket";
  #socket: WebSocket | null = null;
  #position: { epoch: string; offset: number } | null = null;
  #commandId = 0;
  #isRecovering = false;

  protected override connect(): void {
    const { host, port, token } = this.door;
    const url = `ws://${host}:${port}/connection/websocket`;
    const socket = new WebSocket(url, "centrifuge-json", { perMessageDeflate: false });
    this.#socket = socket;
    let fault = "";
    socket.on("open", () => {
      if (socket !== this.#socket) return;
      this.#send({ connect: { token } });
      this.#subscribe();
    });
    socket.on("message", (data) => {
      if (socket !== this.#socket) return;
      for (const line of String(data).split("\n")) this.#take(JSON.parse(line) as Message, line);
    });
    socket.on("error", (error) => {
      fault = error.message;
    });
    socket.on("close", (code) => {
      if (socket !== this.#socket) return;
      this.#socket = null;
      this.cut(`closed with ${code} ${fault}`);
    });
  }

  protected override disconnect(): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.terminate();
  }

  protected override forgetCursor(): void {
    this.#position = null;
  }

  #subscribe(): void {
    const channel = `/quotes/${this.key}`;
    this.#isRecovering = this.#position !== null;
    if (this.#isRecovering) this.returns++;
    this.#send({ subscribe: { channel, ...(this.#position && { recover: true, ...this.#position }) } });
  }

  #send(command: object): void {
    this.#socket?.send(JSON.stringify({ id: ++this.#commandId, ...command }));
  }

  #take(message: Message, line: string): void {
    const { push, subscribe, error } = message;
    if (push?.pub !== undefined) this.#publication(push.pub);
    else if (subscribe !== undefined) this.#subscribed(subscribe);
    else if (push?.unsubscribe !== undefined) this.#unsubscribed(push.unsubscribe.code);
    else if (error !== undefined) {
      this.trouble = line;
      this.#socket?.terminate();
    } else if (line === "{}") this.#socket?.send("{}");
  }

  #subscribed({ epoch, offset, recovered, publications = [] }: NonNullable<Message["subscribe"]>): void {
    this.#position = { epoch, offset };
    // What an application learns, whatever was said before: it could not be recovered.
    if (this.#isRecovering && recovered !== true) this.ledger.tell();
    for (const publication of publications) this.#publication(publication);
    this.subscribed();
  }

  /** From 2500 on SDKs subscribe again by themselves. */
  #unsubscribed(code: number): void {
    if (code >= 2500) this.#subscribe();
    else this.trouble = `unsubscribed with ${code}`;
  }

  #publication({ data, offset }: Publication): void {
    if (this.#position !== null) this.#position.offset = offset;
    this.ledger.take(data.seq);
  }
}
