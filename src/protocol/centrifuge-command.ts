import { CentrifugeError } from "./centrifuge-codes.ts";
import { rawMember } from "./centrifuge-raw.ts";

/** Most commands in one message; the bytes of a message are bounded before. */
export const COMMANDS_PER_MESSAGE_MAX = 2048;

/** One place in a channel's stream. */
export interface StreamPosition {
  readonly offset: number;
  readonly epoch: string;
}

/**
 * What a client asks for (Centrifuge client protocol, `client.proto`: Command). The id is that of the reply; fields
 * that this gateway does not use are not read.
 */
export type Command =
  | {
      readonly kind: "connect";
      readonly id: number;
      /** "" for none. */
      readonly token: string;
      /** Whatever the application sent; undefined for nothing. */
      readonly data: unknown;
    }
  | {
      readonly kind: "subscribe";
      readonly id: number;
      readonly channel: string;
      /** Where to resume; null: from now. */
      readonly since: StreamPosition | null;
      /** True: rather an error 112 than a subscription that did not recover. */
      readonly rejectUnrecovered: boolean;
    }
  | { readonly kind: "unsubscribe"; readonly id: number; readonly channel: string }
  | {
      readonly kind: "publish";
      readonly id: number;
      readonly channel: string;
      /** JSON as the client wrote it. */
      readonly data: string;
    }
  | { readonly kind: "presence" | "presence_stats"; readonly id: number; readonly channel: string }
  | {
      readonly kind: "history";
      readonly id: number;
      readonly channel: string;
      /** Most publications; 0: only the position; negative: as many as there may be. */
      readonly limit: number;
      readonly since: StreamPosition | null;
      readonly reverse: boolean;
    }
  | { readonly kind: "refresh"; readonly id: number; readonly token: string }
  /** Asks for no reply. */
  | { readonly kind: "send" }
  /** Answers the server's ping. */
  | { readonly kind: "pong" }
  /** Understood and refused: the reply is the error, the connection stays. */
  | { readonly kind: "declined"; readonly id: number; readonly error: CentrifugeError }
  /** Breaks the protocol: the connection ends (3501). The detail is for the log and holds nothing of the message. */
  | { readonly kind: "malformed"; readonly detail: string };

/**
 * The commands of one message, in order: JSON objects separated by line feeds. What can't be read ends the list as
 * `malformed`, so that what stands before it is still done.
 */
export function parseCommands(message: string): Command[] {
  const commands: Command[] = [];
  for (let start = 0; start < message.length; ) {
    const found = message.indexOf("\n", start);
    const end = found < 0 ? message.length : found;
    const line = message.slice(start, end);
    start = end + 1;
    if (BLANK.test(line)) continue;
    if (commands.length === COMMANDS_PER_MESSAGE_MAX) {
      commands.push(malformed(`more than ${COMMANDS_PER_MESSAGE_MAX} commands in a message`));
      return commands;
    }
    const command = parseCommand(line);
    commands.push(command);
    if (command.kind === "malformed") return commands;
  }
  if (commands.length === 0) commands.push(malformed("a message without a command"));
  return commands;
}

type Fields = Readonly<Record<string, unknown>>;

const BLANK = /^[ \t\r]*$/;
const ID_MAX = 2 ** 32 - 1;
const INT32_MAX = 2 ** 31 - 1;
/** Bit of `SubscribeRequest.flag`. */
const REJECT_UNRECOVERED = 1 << 1;

/** Methods in the order in which the first one that is present counts. */
const METHODS: Readonly<Record<string, (id: number, fields: Fields, line: string) => Command>> = {
  connect: (id, fields) => ({
    kind: "connect",
    id,
    token: text(fields, "token"),
    data: fields.data ?? undefined,
  }),
  ping: (id) => declined(id, CentrifugeError.not_available),
  subscribe: parseSubscribe,
  unsubscribe: (id, fields) => ({ kind: "unsubscribe", id, channel: channel(fields) }),
  publish: parsePublish,
  presence: (id, fields) => ({ kind: "presence", id, channel: channel(fields) }),
  presence_stats: (id, fields) => ({ kind: "presence_stats", id, channel: channel(fields) }),
  history: parseHistory,
  rpc: (id) => declined(id, CentrifugeError.not_available),
  send: () => ({ kind: "send" }),
  refresh: (id, fields) => {
    const token = text(fields, "token");
    if (token === "") throw new Malformed("a refresh without a token");
    return { kind: "refresh", id, token };
  },
  sub_refresh: (id) => declined(id, CentrifugeError.not_available),
};

/** A value of the wrong type: the protocol's own decoders give up on it as on broken JSON. */
class Malformed extends Error {}

function parseCommand(line: string): Command {
  try {
    return commandOf(JSON.parse(line), line);
  } catch (error) {
    return malformed(error instanceof Malformed ? error.message : "not JSON");
  }
}

function commandOf(command: unknown, line: string): Command {
  if (!isObject(command)) throw new Malformed("a command that is not an object");
  const id = integer(command, "id", 0, ID_MAX);
  for (const method in METHODS) {
    const fields = command[method] ?? null;
    if (fields === null) continue;
    if (!isObject(fields)) throw new Malformed(`${method} is not an object`);
    if (id === 0 && method !== "send") throw new Malformed(`${method} without an id`);
    return (METHODS[method] as (typeof METHODS)[string])(id, fields, line);
  }
  // Newer methods get an answer instead of an end; with neither id nor method it is the answer to a ping.
  return id === 0 ? { kind: "pong" } : declined(id, CentrifugeError.method_not_found);
}

function parseSubscribe(id: number, fields: Fields): Command {
  const name = channel(fields);
  const resumes = flag(fields, "recover");
  const since = position(fields);
  const rejectUnrecovered = (integer(fields, "flag", 0, Number.MAX_SAFE_INTEGER) & REJECT_UNRECOVERED) !== 0;
  // Map, presence and shared-poll subscriptions; a tags filter that is not applied would bring what was not asked for.
  if (integer(fields, "type", -INT32_MAX, INT32_MAX) !== 0)
    return declined(id, CentrifugeError.not_available);
  if ((fields.tf ?? null) !== null) return declined(id, CentrifugeError.bad_request);
  return { kind: "subscribe", id, channel: name, since: resumes ? since : null, rejectUnrecovered };
}

function parsePublish(id: number, fields: Fields, line: string): Command {
  const name = channel(fields);
  if (integer(fields, "type", -INT32_MAX, INT32_MAX) !== 0)
    return declined(id, CentrifugeError.not_available);
  const data = rawMember(line, ["publish", "data"]);
  if (data === null) return declined(id, CentrifugeError.bad_request);
  return { kind: "publish", id, channel: name, data };
}

function parseHistory(id: number, fields: Fields): Command {
  const since = fields.since ?? null;
  if (since !== null && !isObject(since)) throw new Malformed("since is not an object");
  return {
    kind: "history",
    id,
    channel: channel(fields),
    limit: integer(fields, "limit", -INT32_MAX - 1, INT32_MAX),
    since: since === null ? null : position(since),
    reverse: flag(fields, "reverse"),
  };
}

function position(fields: Fields): StreamPosition {
  return { offset: integer(fields, "offset", 0, Number.MAX_SAFE_INTEGER), epoch: text(fields, "epoch") };
}

function channel(fields: Fields): string {
  const name = text(fields, "channel");
  if (name === "") throw new Malformed("a command without its channel");
  return name;
}

function text(fields: Fields, name: string): string {
  const value = fields[name] ?? "";
  if (typeof value !== "string") throw new Malformed(`${name} is not a string`);
  return value;
}

function flag(fields: Fields, name: string): boolean {
  const value = fields[name] ?? false;
  if (typeof value !== "boolean") throw new Malformed(`${name} is not true or false`);
  return value;
}

function integer(fields: Fields, name: string, min: number, max: number): number {
  const value = fields[name] ?? 0;
  if (!Number.isSafeInteger(value) || (value as number) < min || (value as number) > max) {
    throw new Malformed(`${name} is not a whole number from ${min} to ${max}`);
  }
  return value as number;
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function declined(id: number, error: CentrifugeError): Command {
  return { kind: "declined", id, error };
}

function malformed(detail: string): Command {
  return { kind: "malformed", detail };
}
