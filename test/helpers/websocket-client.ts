import { once } from "node:events";
import { WebSocket } from "ws";

export interface Reply {
  readonly id?: number;
  readonly error?: { readonly code: number; readonly message: string; readonly temporary?: boolean };
  readonly push?: {
    readonly channel: string;
    readonly pub?: { readonly data: unknown; readonly offset: number };
    readonly unsubscribe?: { readonly code: number };
  };
  readonly [result: string]: unknown;
}

export interface SubscribeResult {
  readonly epoch: string;
  readonly offset: number;
  readonly recovered?: boolean;
  readonly was_recovering?: boolean;
  readonly publications?: readonly { readonly data: unknown; readonly offset: number }[];
}

/** Speaks the Centrifuge protocol command by command, so that a test sees every reply as it is. */
export class WebSocketClient implements Disposable {
  readonly socket: WebSocket;
  readonly replies: Reply[] = [];
  /** Publications of all channels, in order, those of subscribe replies included. */
  readonly publications: { channel: string; data: unknown; offset: number }[] = [];
  closeCode: number | null = null;
  #id = 0;
  #changed = Promise.withResolvers<void>();

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("message", (data) => this.#take(String(data)));
    socket.on("error", () => this.#changed.resolve());
    socket.on("close", (code) => {
      this.closeCode = code;
      this.#changed.resolve();
    });
  }

  static async open(url: string): Promise<WebSocketClient> {
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/connection/websocket`, "centrifuge-json");
    const client = new WebSocketClient(socket);
    await once(socket, "open");
    return client;
  }

  /** Opens, and signs in with a token. */
  static async signedIn(url: string, token: string): Promise<WebSocketClient> {
    const client = await WebSocketClient.open(url);
    const reply = await client.ask({ connect: { token } });
    if (reply.connect === undefined) throw new Error(`connect failed: ${JSON.stringify(reply)}`);
    return client;
  }

  /** Sends a command and answers its reply. */
  async ask(command: Record<string, unknown>): Promise<Reply> {
    const id = ++this.#id;
    this.socket.send(JSON.stringify({ id, ...command }));
    const isIts = (reply: Reply) => reply.id === id;
    await this.until(() => this.replies.some(isIts));
    return this.replies.find(isIts) as Reply;
  }

  async subscribe(channel: string, more: Record<string, unknown> = {}): Promise<SubscribeResult> {
    const reply = await this.ask({ subscribe: { channel, ...more } });
    if (reply.subscribe === undefined) throw new Error(`subscribe failed: ${JSON.stringify(reply)}`);
    return reply.subscribe as SubscribeResult;
  }

  /** Resolves once so many publications have come; answers their data. */
  async data(count: number): Promise<unknown[]> {
    await this.until(() => this.publications.length >= count);
    return this.publications.map((publication) => publication.data);
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.closeCode !== null) throw new Error(`the connection was closed with ${this.closeCode}`);
      this.#changed = Promise.withResolvers<void>();
      await this.#changed.promise;
    }
  }

  async closed(): Promise<number> {
    if (this.closeCode === null) await once(this.socket, "close");
    return this.closeCode as number;
  }

  /** Cuts the line with a reset. */
  cut(): void {
    this.socket.terminate();
  }

  [Symbol.dispose](): void {
    this.socket.terminate();
  }

  #take(text: string): void {
    for (const line of text.split("\n")) {
      const reply = JSON.parse(line) as Reply;
      if (Object.keys(reply).length === 0) this.socket.send("{}");
      this.replies.push(reply);
      const { push } = reply;
      if (push?.pub !== undefined) this.publications.push({ channel: push.channel, ...push.pub });
      const subscribed = reply.subscribe as SubscribeResult | undefined;
      for (const publication of subscribed?.publications ?? [])
        this.publications.push({ channel: "", ...publication });
    }
    this.#changed.resolve();
  }
}
