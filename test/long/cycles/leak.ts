/**
 * Loaded into a gateway's process before the program (`--import`): a bug on purpose, by which a test of leaks shows that
 * it finds them. Of every `CYCLES_LEAK` connections one is never let go.
 */
import { subscribe } from "node:diagnostics_channel";

const every = Number(process.env.CYCLES_LEAK);
const kept: unknown[] = [];
let seen = 0;

subscribe("net.server.socket", (message) => {
  if (seen++ % every === 0) kept.push((message as { socket: unknown }).socket);
});
