import type { Socket } from "node:net";
import type { Clock, Timer } from "#base/clock.ts";
import type { Answer } from "./answer.ts";

type RawKind = Extract<Answer, { kind: "slow_head" | "no_head" | "endless_head" }>;

const HEAD =
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\nCache-Control: no-cache\r\n\r\n";

const ENDLESS_BYTES_MAX = 2 ** 26;

/** Writes an answer that is no HTTP to a connection that HTTP was spoken on until now. */
export function answerRaw(answer: RawKind, socket: Socket, clock: Clock): void {
  switch (answer.kind) {
    case "no_head":
      socket.write("id: 1\ndata: no head\n\n");
      return;
    case "endless_head":
      socket.write("HTTP/1.1 200 OK\r\n");
      pour(socket, `X-More: ${"y".repeat(1000)}\r\n`);
      return;
    case "slow_head":
      trickle(socket, answer.everyMs, clock);
  }
}

function pour(socket: Socket, text: string): void {
  let left = ENDLESS_BYTES_MAX;
  const go = () => {
    while (!socket.destroyed && left > 0) {
      left -= text.length;
      if (!socket.write(text)) return;
    }
  };
  socket.on("drain", go);
  go();
}

function trickle(socket: Socket, everyMs: number, clock: Clock): void {
  let timer: Timer | null = null;
  let at = 0;
  const next = () => {
    timer = null;
    socket.write(HEAD.slice(at, ++at));
    if (at < HEAD.length && !socket.destroyed) timer = clock.after(everyMs, next);
  };
  socket.once("close", () => timer?.cancel());
  next();
}
