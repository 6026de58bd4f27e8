import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { test } from "node:test";
import { SystemClock } from "#base/system-clock.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { FLUSHED_AT_ONCE, type Flushable, Flusher } from "./flusher.ts";

test("a flusher: writes to so many connections a turn, each once and in the order of their scheduling", () => {
  const turns: (() => void)[] = [];
  const flusher = new Flusher(new VirtualClock(), (run) => turns.push(run));
  const flushed: number[] = [];
  const count = 2 * FLUSHED_AT_ONCE + 1;
  for (let index = 0; index < count; index++) flusher.schedule({ flush: () => flushed.push(index) });
  const perTurn: number[] = [];
  for (let turn = turns.shift(); turn !== undefined; turn = turns.shift()) {
    const before = flushed.length;
    turn();
    perTurn.push(flushed.length - before);
  }
  assert.deepEqual(perTurn, [FLUSHED_AT_ONCE, FLUSHED_AT_ONCE, 1]);
  assert.deepEqual(
    flushed,
    Array.from({ length: count }, (_, index) => index),
  );
});

test("a flusher: what is scheduled while others wait comes after them, and one turn is asked for at a time", () => {
  const turns: (() => void)[] = [];
  const flusher = new Flusher(new VirtualClock(), (run) => turns.push(run));
  const flushed: string[] = [];
  const again = {
    flush: () => {
      if (flushed.push("again") === 1) flusher.schedule(again);
    },
  };
  flusher.schedule(again);
  for (let index = 0; index < FLUSHED_AT_ONCE; index++)
    flusher.schedule({ flush: () => flushed.push("other") });
  while (turns.length > 0) {
    assert.equal(turns.length, 1);
    turns.shift()?.();
  }
  assert.equal(flushed.length, FLUSHED_AT_ONCE + 2);
  assert.equal(flushed.at(-1), "again");
});

test("a flusher: where a write throws, the others are written to with the next that is scheduled", () => {
  const turns: (() => void)[] = [];
  const flusher = new Flusher(new VirtualClock(), (run) => turns.push(run));
  const flushed: string[] = [];
  flusher.schedule({
    flush: () => {
      throw new Error("broken");
    },
  });
  flusher.schedule({ flush: () => flushed.push("second") });
  assert.throws(() => turns.shift()?.(), /broken/);
  flusher.schedule({ flush: () => flushed.push("third") });
  while (turns.length > 0) turns.shift()?.();
  assert.deepEqual(flushed, ["second", "third"]);
});

test("a flusher: clients are let in while ten thousand connections have always something to be written", async () => {
  const CONNECTIONS = 10_000;
  const CLIENTS = 20;
  const flusher = new Flusher(new SystemClock());
  let isOver = false;
  let writes = 0;
  class Busy implements Flushable {
    flush(): void {
      writes++;
      if (!isOver) flusher.schedule(this);
    }
  }
  const writesAtEach: number[] = [];
  const server = createServer((socket) => {
    writesAtEach.push(writes);
    socket.destroy();
  });
  server.listen({ host: "127.0.0.1", port: 0, backlog: CLIENTS });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  // All wait to be let in before the first turn.
  const clients = Array.from({ length: CLIENTS }, () =>
    connect({ port, host: "127.0.0.1" }).on("error", () => {}),
  );
  for (let index = 0; index < CONNECTIONS; index++) flusher.schedule(new Busy());
  await Promise.all(clients.map((client) => once(client, "close")));
  isOver = true;
  server.close();
  await once(server, "close");
  const meanwhile = (writesAtEach.at(-1) as number) - (writesAtEach[0] as number);
  assert.equal(writesAtEach.length, CLIENTS);
  // One a turn, and clients' own turns between: at one a turn of all connections these were 190,000.
  assert.ok(meanwhile <= 4 * CLIENTS * FLUSHED_AT_ONCE, `${meanwhile} writes`);
});
