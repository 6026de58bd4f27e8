/** A question to a process of a crew, or its answer. */
export interface Envelope {
  readonly id: number;
  readonly body: unknown;
  /** Instead of an answer. */
  readonly error?: string;
}

/** In a process that `Crew` started: answers what it is asked, in order, and ends with whoever started it. */
export function serveCrew<Command>(perform: (command: Command) => unknown): void {
  const send = process.send?.bind(process);
  if (send === undefined) return;
  let before: Promise<void> = Promise.resolve();
  process.on("message", ({ id, body }: Envelope) => {
    before = before.then(async () => {
      try {
        send({ id, body: await perform(body as Command) } satisfies Envelope);
      } catch (error) {
        send({ id, body: null, error: String(error) } satisfies Envelope);
      }
    });
  });
  process.on("disconnect", () => process.exit());
}
