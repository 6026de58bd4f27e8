import { messageOf } from "#base/errors.ts";
import { Fleet } from "./fleet.ts";
import type { Question } from "./messages.ts";
import { Publishers } from "./publishers.ts";

/**
 * A worker process of `load`: does one job for its parent, answers its questions, and ends with it. Ctrl-C reaches every
 * process of a terminal, and SIGTERM often all of a group; the parent alone decides what they mean.
 */
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => {});
process.on("disconnect", () => process.exit(0));
process.on("message", (message) => {
  const { id, question } = message as { id: number; question: Question };
  answer(question).then(
    (value) => process.send?.({ id, value }),
    (thrown: unknown) => process.send?.({ id, fault: messageOf(thrown) }),
  );
});

let worker: Fleet | Publishers | null = null;

async function answer(question: Question): Promise<unknown> {
  switch (question.ask) {
    case "fleet":
      worker = new Fleet(question.job);
      return null;
    case "publishers":
      worker = new Publishers(question.job);
      return null;
    case "begin":
      return (await worker?.begin()) ?? null;
    case "sample":
      return worker?.sample();
    case "stop":
      return worker instanceof Publishers ? await worker.stop() : null;
    case "settle":
      return worker instanceof Fleet ? await worker.settle(question.published, question.timeoutMs) : null;
  }
}
