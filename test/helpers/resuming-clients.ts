import { Centrifuge } from "centrifuge";
import { EventSource } from "eventsource";

/** What one client saw: events' data, and each time that it was told that events may be missing. */
export type Seen = { readonly n: number } | "told";

export interface ResumingClient extends Disposable {
  readonly name: string;
  readonly seen: Seen[];
  /** Connections that were opened. */
  readonly opened: number;
}

/** The SDK of the WebSocket protocol, which reconnects and resumes by itself. */
export function centrifugeClient(url: string, topic: string): ResumingClient {
  const client = new Centrifuge(`${url.replace("http", "ws")}/connection/websocket`, {
    minReconnectDelay: 10,
    maxReconnectDelay: 50,
  });
  const seen: Seen[] = [];
  const counts = { opened: 0 };
  const subscription = client.newSubscription(topic);
  subscription.on("publication", ({ data }) => seen.push({ n: (data as { n: number }).n }));
  subscription.on("subscribed", ({ wasRecovering, recovered }) => {
    counts.opened++;
    if (wasRecovering && !recovered) seen.push("told");
  });
  subscription.subscribe();
  client.connect();
  return {
    name: `centrifuge ${topic}`,
    seen,
    get opened() {
      return counts.opened;
    },
    [Symbol.dispose]: () => client.disconnect(),
  };
}

/** `EventSource`, which reconnects and resumes by itself; it only waits less long than it is asked to. */
export function eventSourceClient(url: string, topic: string): ResumingClient {
  const seen: Seen[] = [];
  const counts = { opened: 0 };
  const source = new EventSource(`${url}/.well-known/mercure?match=${topic}`, {
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      // What a script does not see: the id that it asked to resume after was not good.
      const asked = new Headers(init.headers).get("last-event-id");
      const answered = response.headers.get("mercure-last-event-id");
      if (asked !== null && answered !== asked) seen.push("told");
      const body = response.body?.pipeThrough(hastened());
      return { ...pick(response), body: body ?? null };
    },
  });
  source.addEventListener("open", () => counts.opened++);
  source.addEventListener("message", ({ data }) => seen.push({ n: JSON.parse(data).n }));
  source.addEventListener("gap", () => seen.push("told"));
  return {
    name: `EventSource ${topic}`,
    seen,
    get opened() {
      return counts.opened;
    },
    [Symbol.dispose]: () => source.close(),
  };
}

function pick({ url, status, redirected, headers }: Response) {
  return { url, status, redirected, headers };
}

/** The time to come back is 20 ms instead of seconds. It stands in one piece, as the gateway writes it. */
function hastened(): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  return new TransformStream({
    transform: (chunk, controller) => {
      const text = Buffer.from(chunk).toString("latin1");
      controller.enqueue(Buffer.from(text.replace(/^retry: ?\d+$/gm, "retry: 20"), "latin1"));
    },
  });
}
