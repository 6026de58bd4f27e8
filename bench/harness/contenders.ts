import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Child } from "./child.ts";
import { BenchGateway } from "./gateway.ts";
import { Loader, type Opening } from "./loader.ts";
import { type Machine, Missing, memoryBytes } from "./machine.ts";
import { requestOf, type Wire, writeRecords } from "./records.ts";

export const CONTENDERS = ["streamkeeper", "c", "c-coalescing", "node", "nchan"] as const;
export type ContenderName = (typeof CONTENDERS)[number];

/** A server under test, with the load client that feeds and asks it. */
export interface Contender extends AsyncDisposable {
  readonly name: ContenderName;
  readonly loader: Loader;
  cpuUs(): Promise<number>;
  readonly pssBytes: number;
  clients(count: number): Promise<Opening>;
}

/** Starts those that the machine has; `skipped` is told of the others. */
export async function startAll(
  machine: Machine,
  names: readonly ContenderName[],
  wire: Wire,
  skipped: (why: string) => void,
): Promise<Contender[]> {
  await using stack = new AsyncDisposableStack();
  const contenders: Contender[] = [];
  for (const name of names) {
    try {
      contenders.push(stack.use(await startOne(machine, name, wire)));
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      skipped(`${name} left out: ${error.message}`);
    }
  }
  stack.move();
  return contenders;
}

/** Throws `Missing` where the machine lacks what it needs. */
export async function startOne(machine: Machine, name: ContenderName, wire: Wire): Promise<Contender> {
  switch (name) {
    case "streamkeeper":
      return gateway(machine, wire);
    case "c":
    case "c-coalescing":
      return await onFeed(machine, name, wire, (feedPort) => [
        machine.build("baseline/fanout.c"),
        String(feedPort),
        wire,
        name === "c" ? "plain" : "coalesce",
      ]);
    case "node":
      return await onFeed(machine, name, wire, (feedPort) => [
        process.execPath,
        fileURLToPath(
          import.meta.resolve(wire === "sse" ? "../baseline/node-sse.ts" : "../baseline/node-ws.ts"),
        ),
        String(feedPort),
      ]);
    case "nchan":
      return await nchan(machine, wire);
  }
}

async function gateway(machine: Machine, wire: Wire): Promise<Contender> {
  const server = await BenchGateway.start(machine);
  return {
    name: "streamkeeper",
    loader: server.loader,
    cpuUs: () => server.cpuUs(),
    get pssBytes() {
      return server.memoryBytes("Pss");
    },
    clients: (count) => server.clients(wire, count),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function onFeed(
  machine: Machine,
  name: ContenderName,
  wire: Wire,
  commandFor: (feedPort: number) => readonly string[],
): Promise<Contender> {
  await using stack = new AsyncDisposableStack();
  const loader = stack.use(await Loader.start(machine));
  const child = stack.use(new Child(machine.pin(0, commandFor(loader.feedPort))));
  const port = Number((await child.answer()).port);
  return contender(name, loader, child, opening(machine, wire, port, "/stream"), stack.move());
}

async function nchan(machine: Machine, wire: Wire): Promise<Contender> {
  const { nginx, module } = machine.nchan();
  await using stack = new AsyncDisposableStack();
  const loader = stack.use(await Loader.start(machine));
  const folder = mkdtempSync(join(machine.folder, "nchan-"));
  const port = await freePort();
  writeFileSync(join(folder, "nginx.conf"), nchanConfig(folder, module, port));
  const child = stack.use(
    new Child(machine.pin(0, [nginx, "-p", folder, "-c", "nginx.conf", "-e", "stderr"])),
  );
  await accepts(port);
  await loader.post(port, "/publish");
  return contender("nchan", loader, child, opening(machine, wire, port, `/${wire}`), stack.move());
}

function contender(
  name: ContenderName,
  loader: Loader,
  child: Child,
  opening: Opening,
  stack: AsyncDisposableStack,
): Contender {
  return {
    name,
    loader,
    cpuUs: () => loader.cpuUs(child.pid),
    get pssBytes() {
      return memoryBytes(child.pid, "Pss");
    },
    clients: async () => opening,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function opening(machine: Machine, wire: Wire, port: number, path: string): Opening {
  const greeting = { hello: requestOf(wire, path), after: Buffer.alloc(0) };
  return { port, file: writeRecords(machine, `${wire}-${port}`, [greeting]), marker: "-" };
}

function nchanConfig(folder: string, module: string, port: number): string {
  return `
load_module ${module};
daemon off;
${process.getuid?.() === 0 ? "user root;" : ""}
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${folder}/nginx.pid;
events { worker_connections 16000; }
http {
  access_log off;
  error_log stderr crit;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  nchan_shared_memory_size 128M;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    keepalive_requests 1000000;
    location = /publish { nchan_publisher; nchan_channel_id bench; nchan_message_buffer_length 200; }
    location = /sse { nchan_subscriber eventsource; nchan_channel_id bench; nchan_subscriber_first_message newest; }
    location = /websocket { nchan_subscriber websocket; nchan_channel_id bench; nchan_subscriber_first_message newest; }
  }
}
`;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}

/** Resolves once something listens there; after five seconds it throws. */
async function accepts(port: number): Promise<void> {
  const deadline = Date.now() + 5000;
  for (;;) {
    try {
      await fetch(`http://127.0.0.1:${port}/`);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((next) => setTimeout(next, 50));
    }
  }
}
