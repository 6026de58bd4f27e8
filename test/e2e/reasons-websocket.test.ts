import assert from "node:assert/strict";
import { test } from "node:test";
import { AuthError } from "#auth/auth-error.ts";
import {
  CENTRIFUGE_ERROR_NAMES,
  CENTRIFUGE_ERRORS,
  CentrifugeError,
  UNSUBSCRIBE_CODES,
  UnsubscribeCode,
} from "#protocol/centrifuge-codes.ts";
import { RawWebSocket } from "../helpers/websocket-listener.ts";
import { type Stage, stage } from "../helpers/websocket-stage.ts";

type Options = Parameters<typeof stage>[0];

interface Way {
  readonly options?: Options;
  /** Done before the client, which is `ann` and may have `/quotes/*`, says its last. */
  readonly before?: (on: Stage, client: RawWebSocket) => void | Promise<void>;
  /** What is answered by the error. */
  readonly command: object;
}

const REFRESH = { refresh: { token: "any" } };

/** One way to each error of a command. An error without one does not compile. */
const ERRORS: Readonly<Record<CentrifugeError, Way>> = {
  100: { before: (on) => failing(on, new Error("the database is gone")), command: REFRESH },
  102: { command: { subscribe: { channel: "*" } } },
  103: { command: { subscribe: { channel: "/secret/x" } } },
  104: { command: { telepathy: {} } },
  105: {
    before: async (_, client) => {
      client.say({ id: 2, subscribe: { channel: "/quotes/x" } });
      await client.heard();
    },
    command: { subscribe: { channel: "/quotes/x" } },
  },
  106: {
    options: { limits: { subscribersPerConnection: 0 } },
    command: { subscribe: { channel: "/quotes/x" } },
  },
  107: { command: { subscribe: { channel: "a\u0000topic" } } },
  108: { command: { rpc: {} } },
  109: { before: (on) => failing(on, new AuthError("token_expired", "its time is over")), command: REFRESH },
  111: { before: (on) => failing(on, new AuthError("busy", "too many at once")), command: REFRESH },
  112: {
    command: { history: { channel: "/quotes/x", limit: 10, since: { offset: 7, epoch: "another life" } } },
  },
};

for (const code of Object.values(CentrifugeError)) {
  const name = CENTRIFUGE_ERROR_NAMES[code];
  test(`error: ${code} (${name}) is answered and counted`, async () => {
    const { options, before, command } = ERRORS[code];
    await using on = await stage(options);
    const client = await connected(on);
    await before?.(on, client);
    client.say({ id: 9, ...command });
    const { message, temporary } = CENTRIFUGE_ERRORS[code];
    assert.deepEqual(await client.heard(), {
      id: 9,
      error: temporary ? { code, message, temporary } : { code, message },
    });
    assert.equal(on.desk.counters.errors.of(name), 1);
    assert.equal(on.desk.counters.errors.total, 1);
  });
}

/** One way to each unsubscription. */
const UNSUBSCRIPTIONS: Readonly<Record<UnsubscribeCode, (on: Stage) => void>> = {
  2000: (on) => {
    for (const connection of on.desk.registry) connection.authorise(on.desk.authenticator.anonymous);
  },
  2500: (on) => on.desk.hub.markGap(["/quotes/x"], false),
};

for (const code of Object.values(UnsubscribeCode)) {
  test(`unsubscribe: ${code} is pushed, and the connection goes on`, async () => {
    await using on = await stage();
    const client = await connected(on);
    client.say({ id: 2, subscribe: { channel: "/quotes/x" } });
    await client.heard();
    UNSUBSCRIPTIONS[code](on);
    const { reason } = UNSUBSCRIBE_CODES[code];
    assert.deepEqual(await client.heard(), {
      push: { channel: "/quotes/x", unsubscribe: { code, reason } },
    });
    assert.equal(on.desk.hub.stats().subscribers, 0);
    assert.equal(on.desk.registry.size, 1);
  });
}

async function connected(on: Stage): Promise<RawWebSocket> {
  const token = on.desk.authenticator.user("ann", { subscribe: ["/quotes/*"] });
  return await RawWebSocket.connected(on.listener.port, { token });
}

/** Signing in fails from now on. */
function failing(on: Stage, error: Error): void {
  on.desk.authenticator.fromToken = () => Promise.reject(error);
}
