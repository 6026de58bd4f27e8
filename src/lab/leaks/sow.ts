import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { Connection } from "#downstream/connection.ts";
import { ConnectionRegistry } from "#downstream/connection-registry.ts";
import type { SeededLeak } from "./seed-names.ts";

/** Has the gateway of this process leak something for each connection from now on. */
export function sowLeak(name: SeededLeak): void {
  const sow = SOWERS[name];
  const add = ConnectionRegistry.prototype.add;
  ConnectionRegistry.prototype.add = function addAndLeak(this: ConnectionRegistry, connection: Connection) {
    add.call(this, connection);
    sow(connection);
  };
}

const DAY_MS = 86_400_000;
const BUFFER_BYTES = 1024;
const SOCKET_EVERY = 8;

/** Where what is leaked hangs, so that a retaining path can name it. */
const leaked = {
  entries: new Map<string, { readonly address: string; readonly since: number }>(),
  closures: [] as (() => Connection)[],
  sockets: [] as Socket[],
  buffers: [] as Buffer[],
  pending: new Set<Promise<string>>(),
};
(globalThis as { leaked?: typeof leaked }).leaked = leaked;

const SOWERS: Readonly<Record<SeededLeak, (connection: Connection) => void>> = {
  listener: ({ id }) => {
    process.setMaxListeners(0);
    process.on("seeded-leak", function leakedListener() {
      return id;
    });
  },
  "map-entry": ({ id, address }) => void leaked.entries.set(id, { address, since: leaked.entries.size }),
  timer: ({ id }) =>
    void setTimeout(function leakedTimer() {
      return id;
    }, DAY_MS).unref(),
  closure: (connection) =>
    void leaked.closures.push(function leakedClosure() {
      return connection;
    }),
  socket: everySome(() => {
    const { port } = listener().address() as AddressInfo;
    leaked.sockets.push(connect(port, "127.0.0.1").unref());
  }),
  buffer: () => void leaked.buffers.push(Buffer.alloc(BUFFER_BYTES, 1)),
  promise: ({ id }) => {
    const pending = new Promise<string>((resolve) => {
      if (id === "") resolve(id);
    });
    leaked.pending.add(pending);
  },
};

let sink: Server | null = null;

/** Something that sockets can be connected to: it accepts, and holds what it accepted. */
function listener(): Server {
  if (sink === null) {
    sink = createServer((socket) => void socket.unref().on("error", () => {}));
    sink.listen(0, "127.0.0.1").unref();
  }
  return sink;
}

function everySome(run: () => void): () => void {
  let count = 0;
  return () => {
    count++;
    if (count === 1) listener();
    if (count % SOCKET_EVERY === 0) run();
  };
}
