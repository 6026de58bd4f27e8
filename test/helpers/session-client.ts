import assert from "node:assert/strict";
import type { Identity } from "#auth/identity.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import type { SessionClient } from "#downstream/websocket-channel.ts";
import { Session } from "#downstream/websocket-session.ts";
import type { CloseReason } from "#protocol/close-reason.ts";
import { payloadOf } from "#protocol/websocket-frame.ts";
import { type TestDesk, type TestDeskOptions, testDesk } from "./downstream-desk.ts";

// biome-ignore lint/suspicious/noExplicitAny: replies are checked field by field
export type Reply = any;

/** A session whose connection is a list of what was said. */
export class TestClient implements SessionClient {
  readonly id: string;
  readonly address = "192.0.2.1";
  identity: Identity;
  closed: CloseReason | null = null;
  detail: string | undefined;
  replaysAsked = 0;
  queuedBytes = 0;
  readonly session: Session;
  #said: Reply[] = [];
  #id = 0;

  constructor(desk: TestDesk, id = "c1") {
    this.id = id;
    this.identity = desk.authenticator.anonymous;
    this.session = new Session(desk, this);
  }

  /** Whether what is said waits, until the test says otherwise. */
  counts = false;

  enqueue(frame: Buffer): void {
    if (this.counts) this.queuedBytes += frame.length;
    assert.equal(this.closed, null, "nothing is said after the end");
    this.#said.push(JSON.parse(payloadOf(frame).toString()));
  }
  deliverFrame(frame: Buffer): void {
    this.enqueue(frame);
  }
  deliverLive(frame: Buffer): void {
    this.enqueue(frame);
  }
  identify(identity: Identity): void {
    assert.equal(this.closed, null, "nobody signs in after the end");
    this.identity = identity;
  }
  rearm(): void {}
  requestReplay(): void {
    this.replaysAsked++;
  }
  loseTopic(topic: string): void {
    this.session.lose(topic);
  }
  close(reason: CloseReason, detail?: string): void {
    if (this.closed !== null) return;
    this.closed = reason;
    this.detail = detail;
    this.session.end();
  }

  /** Sends commands in one message; those without an id get the next one. */
  send(...commands: object[]): void {
    this.session.receive(commands.map((command) => JSON.stringify(this.numbered(command))).join("\n"));
  }
  numbered(command: object): object {
    return Object.keys(command).length === 0 || "id" in command ? command : { id: ++this.#id, ...command };
  }
  /** What was said since the last look. */
  said(): Reply[] {
    const said = this.#said;
    this.#said = [];
    return said;
  }
  /** Sends one command and answers its one reply, with checks of credentials done. */
  async ask(command: object): Promise<Reply> {
    this.send(command);
    await settled();
    const said = this.said();
    assert.equal(said.length, 1, `one reply, not ${JSON.stringify(said)}`);
    return said[0];
  }
  async signIn(token?: string): Promise<this> {
    const reply = await this.ask({ connect: token === undefined ? {} : { token } });
    assert.ok(reply.connect, JSON.stringify(reply));
    return this;
  }
}

/** Promises that wait for nothing but each other are done. */
export const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

export function deskWith(options: Partial<TestDeskOptions> = {}) {
  const clock = new VirtualClock();
  return { clock, desk: testDesk({ clock, ...options }) };
}

export const offsets = (publications: Reply[]): number[] =>
  publications.map((publication) => publication.offset);
export const pushed = (said: Reply[]): number[] => said.map((push) => push.push.pub.offset);
export const fill = (desk: TestDesk, topic: string, count: number, data = "{}") => {
  for (let index = 0; index < count; index++) desk.hub.publish({ topics: [topic], data });
};

/** A signed-in client who may have `/quotes/*` and publish `/news/*`. */
export async function trader(options: Partial<TestDeskOptions> = {}) {
  const { desk, clock } = deskWith(options);
  const token = desk.authenticator.user("ann", { subscribe: ["/quotes/*"], publish: ["/news/*"] });
  return { desk, clock, token, client: await new TestClient(desk).signIn(token) };
}
