import { accessToken } from "../session.ts";
import type { Consumer, ConsumerEvents } from "./consumer.ts";

interface Publication {
  readonly offset?: number;
  readonly data: unknown;
}

interface Reply {
  readonly id?: number;
  readonly error?: { readonly code: number; readonly message: string };
  readonly connect?: object;
  readonly subscribe?: {
    readonly epoch?: string;
    readonly offset?: number;
    readonly recovered?: boolean;
    readonly was_recovering?: boolean;
    readonly publications?: readonly Publication[];
  };
  readonly push?: {
    readonly pub?: Publication;
    readonly unsubscribe?: { readonly code: number; readonly reason: string };
    readonly disconnect?: { readonly code: number; readonly reason: string };
  };
}

const CONNECT = 1;
const SUBSCRIBE = 2;

/** Follows a topic by WebSocket (Centrifuge client protocol, JSON), from after a cursor `epoch/offset`: "" is from now on. */
export function followByWebSocket(topic: string, cursor: string, events: ConsumerEvents): Consumer {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/connection/websocket`, "centrifuge-json");
  const [oldEpoch = "", oldOffset = "0"] = cursor.split("/");
  let epoch = oldEpoch;
  let isCut = false;
  const send = (command: object) => socket.send(JSON.stringify(command));
  const take = ({ offset, data }: Publication) =>
    events.event({ cursor: `${epoch}/${offset ?? 0}`, type: "message", data: JSON.stringify(data) });
  const reply = (message: Reply) => {
    if (Object.keys(message).length === 0) return send({});
    if (message.error !== undefined) {
      events.ended(`${message.error.message} (${message.error.code})`);
      return cut();
    }
    if (message.id === CONNECT) {
      const recover = cursor === "" ? {} : { recover: true, epoch: oldEpoch, offset: Number(oldOffset) };
      return send({ id: SUBSCRIBE, subscribe: { channel: topic, ...recover } });
    }
    if (message.subscribe !== undefined) {
      const {
        recovered = false,
        was_recovering: wasRecovering = false,
        publications = [],
      } = message.subscribe;
      epoch = message.subscribe.epoch ?? "";
      events.opened({ resumed: wasRecovering, recovered: wasRecovering ? recovered : null });
      if (publications.length === 0) events.cursor(`${epoch}/${message.subscribe.offset ?? 0}`);
      for (const publication of publications) take(publication);
    }
    if (message.push?.pub !== undefined) take(message.push.pub);
    if (message.push?.unsubscribe !== undefined) {
      const { code, reason } = message.push.unsubscribe;
      events.gap(`${reason} (${code})`);
      events.ended("unsubscribed");
      cut();
    }
    return undefined;
  };
  const cut = () => {
    isCut = true;
    socket.close();
  };
  socket.onopen = () => send({ id: CONNECT, connect: { token: accessToken(), name: "dashboard" } });
  socket.onmessage = ({ data }) => {
    if (isCut) return;
    for (const line of String(data).split("\n")) reply(JSON.parse(line) as Reply);
  };
  socket.onclose = ({ code, reason }) => {
    if (!isCut) events.ended(reason === "" ? `closed (${code})` : `${reason} (${code})`);
  };
  return { cut };
}
