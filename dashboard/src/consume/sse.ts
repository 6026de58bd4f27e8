import type { Consumer, ConsumerEvents } from "./consumer.ts";
import { readStream } from "./event-stream.ts";

/** Follows a topic by SSE (Mercure), from after a cursor: "" is from now on. */
export function followBySse(topic: string, cursor: string, events: ConsumerEvents): Consumer {
  const controller = new AbortController();
  readStream(`/.well-known/mercure?${new URLSearchParams({ match: topic })}`, {
    signal: controller.signal,
    lastEventId: cursor,
    opened: (response) => {
      const told = response.headers.get("mercure-last-event-id");
      // Told where the log no longer reaches back: then something was missed.
      const recovered = cursor === "" ? null : told === null || told === cursor;
      events.opened({ resumed: cursor !== "", recovered });
    },
    cursor: (id) => events.cursor(id),
    item: ({ id, type, data }) => {
      if (type === "gap") events.gap(data);
      else events.event({ cursor: id, type, data });
    },
  }).then(
    () => events.ended("the gateway ended the stream"),
    (error: unknown) => {
      if (!controller.signal.aborted) events.ended(error instanceof Error ? error.message : "lost");
    },
  );
  return { cut: () => controller.abort() };
}
