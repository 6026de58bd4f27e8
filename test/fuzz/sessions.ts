import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { Centrifuge } from "centrifuge";
import { EventSource } from "eventsource";
import { WebSocket } from "ws";

/** What both sides of a connection said. */
export interface Session {
  readonly name: string;
  readonly client: Buffer;
  readonly server: Buffer;
}

/** A relay that keeps what goes through it, a connection at a time. */
export class Recorder implements AsyncDisposable {
  readonly #server = createServer((socket) => this.#relay(socket));
  readonly #origin: URL;
  readonly #sockets = new Set<Socket>();
  #client: Buffer[] = [];
  #fromServer: Buffer[] = [];

  /** @param origin where it relays to */
  constructor(origin: string) {
    this.#origin = new URL(origin);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async open(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  /** What has gone through since the last call. */
  take(name: string): Session {
    const session = { name, client: Buffer.concat(this.#client), server: Buffer.concat(this.#fromServer) };
    this.#client = [];
    this.#fromServer = [];
    return session;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }

  #relay(near: Socket): void {
    const far = connect(Number(this.#origin.port), this.#origin.hostname);
    for (const [from, to, kept] of [
      [near, far, () => this.#client],
      [far, near, () => this.#fromServer],
    ] as const) {
      this.#sockets.add(from);
      from.on("data", (bytes: Buffer) => {
        kept().push(bytes);
        to.write(bytes);
      });
      from.on("end", () => to.end()).on("error", () => to.destroy());
      from.on("close", () => this.#sockets.delete(from));
    }
  }
}

export interface Visit {
  /** The recorder's. */
  readonly recorder: Recorder;
  /** May subscribe to and publish to `topic`. */
  readonly token: string;
  readonly topic: string;
}

/** Has the protocols' own clients do what they do, through a recorder. */
export async function visitAll({ recorder, token, topic }: Visit): Promise<Session[]> {
  const { url } = recorder;
  const hub = `${url}/.well-known/mercure`;
  const authorization = { authorization: `Bearer ${token}` };
  const publish = async (data: string): Promise<void> => {
    const body = new URLSearchParams({ topic, data, type: "news", private: "on" });
    const answer = await fetch(hub, {
      method: "POST",
      headers: { ...authorization, connection: "close" },
      body,
    });
    await answer.text();
  };
  const sessions: Session[] = [];

  await publish('{"text":"für alle"}');
  sessions.push(recorder.take("publish"));

  const login = { method: "POST", headers: { "content-type": "application/json", connection: "close" } };
  await (
    await fetch(`${url}/auth/login`, { ...login, body: '{"login":"ann","password":"wrong horse"}' })
  ).text();
  sessions.push(recorder.take("login"));

  await (
    await fetch(`${url}/readyz`, { headers: { connection: "close", forwarded: "for=192.0.2.60" } })
  ).text();
  sessions.push(recorder.take("ready"));

  const query = new URLSearchParams({
    match: topic,
    match_urlpattern: "/load/:name",
    last_event_id: "earliest",
  });
  const source = new EventSource(`${hub}?${query}`, {
    fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...authorization } }),
  });
  await new Promise((resolve) => source.addEventListener("news", resolve));
  source.close();
  sessions.push(recorder.take("sse"));

  const centrifuge = new Centrifuge(`${url.replace(/^http/, "ws")}/connection/websocket`, {
    websocket: WebSocket,
    token,
  });
  const subscription = centrifuge.newSubscription(topic, { since: { epoch: "", offset: 0 } });
  const got = new Promise((resolve) => subscription.on("publication", resolve));
  subscription.subscribe();
  centrifuge.connect();
  await subscription.ready();
  await subscription.publish({ price: 1.5 });
  await got;
  await subscription.history({ limit: 5 }).catch(() => null);
  await subscription.presence().catch(() => null);
  centrifuge.disconnect();
  sessions.push(recorder.take("websocket"));
  return sessions;
}
