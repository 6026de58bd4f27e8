import { CLOSE_FRAME, Line, textFrame } from "./line.ts";
import type { Cycle } from "./plan.ts";

/** What clients know of the gateway. */
export interface Site {
  readonly port: number;
  /** An access token that permits `/quotes/*`. */
  readonly token: string;
}

/** How a client's life went: as its act has it, or otherwise, in a word. */
export type Outcome = "as planned" | "refused" | "cut short";

/** Lives one client's life to its end, its own socket's included. */
export async function live(site: Site, cycle: Cycle): Promise<Outcome> {
  const line = new Line(site.port, cycle.address);
  try {
    const isGood = await (cycle.act.startsWith("sse ")
      ? stream
      : cycle.act.startsWith("websocket ")
        ? socket
        : other)(site, cycle, line);
    return isGood ? "as planned" : "cut short";
  } finally {
    line.socket.destroy();
    await line.closed();
  }
}

/** A client that subscribes and stays: what the warming flood is made of. Null: it was not let in. */
export async function subscribed(site: Site, cycle: Cycle): Promise<Line | null> {
  const line = new Line(site.port, cycle.address);
  const isIn = await (cycle.act.startsWith("sse")
    ? openStream(site, cycle, line)
    : openSocket(site, cycle, line));
  return isIn ? line : null;
}

async function stream(site: Site, cycle: Cycle, line: Line): Promise<boolean> {
  const request = streamRequest(site, cycle);
  switch (cycle.act) {
    case "sse torn request":
      line.send(request.slice(0, request.length / 2));
      await turn(line);
      line.reset();
      return true;
    case "sse gone before answer":
      line.send(request);
      await turn(line);
      line.reset();
      return true;
    case "sse bad token":
      line.send(request.replace("\r\n\r\n", "\r\nAuthorization: Bearer e30.e30.bm90\r\n\r\n"));
      return await line.got(" 401 ");
    case "sse slow start":
      await inPieces(line, request, cycle.staysMs);
      break;
    default:
      line.send(request);
  }
  if (!(await line.got("retry: "))) return false;
  if (cycle.act === "sse deaf") {
    // It would not learn that it was cut, and is long gone by then where events came fast enough.
    line.socket.pause();
    await stay(cycle.staysMs);
    return true;
  }
  await stay(cycle.staysMs);
  if (cycle.act === "sse reset") line.reset();
  else line.socket.end();
  if (cycle.act === "sse half closed") await line.closed();
  return true;
}

async function socket(site: Site, cycle: Cycle, line: Line): Promise<boolean> {
  switch (cycle.act) {
    case "websocket torn handshake":
      line.send(UPGRADE.slice(0, UPGRADE.length / 2));
      await turn(line);
      line.reset();
      return true;
    case "websocket gone before answer":
      line.send(UPGRADE);
      await turn(line);
      line.reset();
      return true;
    case "websocket slow start":
      await inPieces(line, UPGRADE, cycle.staysMs);
      break;
    default:
      line.send(UPGRADE);
  }
  if (!(await line.got("\r\n\r\n"))) return false;
  switch (cycle.act) {
    case "websocket gone before connect":
      line.reset();
      return true;
    case "websocket gone while checked":
      line.send(textFrame(greeting(site, cycle)));
      await turn(line);
      line.reset();
      return true;
    case "websocket bad token":
      line.send(textFrame('{"id":1,"connect":{"token":"e30.e30.bm90"}}'));
      await line.closed();
      return true;
    case "websocket broken frame":
      line.send(Buffer.from([0xff, 0x80, 0, 0, 0, 0]));
      await line.closed();
      return true;
    case "websocket no json":
      line.send(textFrame("hello?"));
      await line.closed();
      return true;
  }
  if (!(await commands(site, cycle, line))) return false;
  await stay(cycle.staysMs);
  if (cycle.act === "websocket reset") line.reset();
  else if (cycle.act === "websocket fin") line.socket.end();
  else if (cycle.act === "websocket close") line.send(CLOSE_FRAME);
  else if (cycle.act !== "websocket mute") line.socket.end(CLOSE_FRAME);
  await line.closed();
  return true;
}

async function other(site: Site, cycle: Cycle, line: Line): Promise<boolean> {
  switch (cycle.act) {
    case "tcp garbage":
      line.send("\u0016\u0003\u0001 not HTTP\r\n\r\n");
      await line.closed();
      return true;
    case "wrong password": {
      const body = `{"login":"ann","password":"wrong ${cycle.address}"}`;
      line.send(
        `POST /auth/login HTTP/1.1\r\nHost: 127.0.0.1:${site.port}\r\nContent-Type: application/json\r\n` +
          `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      );
      return await line.got(" 40");
    }
    default:
      await new Promise<void>((resolve) => line.socket.once("ready", resolve).once("close", resolve));
      line.reset();
      return true;
  }
}

async function openStream(site: Site, cycle: Cycle, line: Line): Promise<boolean> {
  line.send(streamRequest(site, cycle));
  return await line.got("retry: ");
}

async function openSocket(site: Site, cycle: Cycle, line: Line): Promise<boolean> {
  line.send(UPGRADE);
  return (await line.got("\r\n\r\n")) && (await commands(site, cycle, line));
}

async function commands(site: Site, cycle: Cycle, line: Line): Promise<boolean> {
  line.answersPings = cycle.act !== "websocket mute";
  line.send(textFrame(greeting(site, cycle)));
  for (let left = cycle.topics; left > 0; left--) if (!(await line.got('"subscribe":{'))) return false;
  return true;
}

function streamRequest(site: Site, cycle: Cycle): string {
  const matchers = topicsOf(cycle).map((topic) => `match=${topic}`);
  const query =
    cycle.act === "sse resume"
      ? "match_urlpattern=/public/*&last_event_id=earliest"
      : cycle.act === "sse deaf"
        ? "match=/public/loud"
        : matchers.join("&");
  const token = cycle.isSignedIn ? `Authorization: Bearer ${site.token}\r\n` : "";
  const shown = cycle.act === "sse bad token" ? "" : token;
  return `GET /.well-known/mercure?${query} HTTP/1.1\r\nHost: 127.0.0.1:${site.port}\r\n${shown}\r\n`;
}

function greeting(site: Site, cycle: Cycle): string {
  const resume = cycle.act === "websocket resume" ? ',"recover":true,"epoch":"lost","offset":1' : "";
  const connect = cycle.isSignedIn ? `{"token":"${site.token}"}` : "{}";
  const subscriptions = topicsOf(cycle).map(
    (topic, index) => `{"id":${index + 2},"subscribe":{"channel":"${topic}"${resume}}}`,
  );
  return [`{"id":1,"connect":${connect}}`, ...subscriptions].join("\n");
}

function topicsOf({ topic, topics, isSignedIn }: Cycle): string[] {
  return Array.from({ length: topics }, (_, index) =>
    isSignedIn ? `/quotes/S${(topic + index) % 50}` : `/public/${topic}/${index}`,
  );
}

const UPGRADE =
  "GET /connection/websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: centrifuge-json\r\n\r\n";

async function inPieces(line: Line, text: string, pauseMs: number): Promise<void> {
  const third = Math.ceil(text.length / 3);
  for (let at = 0; at < text.length; at += third) {
    line.send(text.slice(at, at + third));
    await stay(pauseMs);
  }
}

/** Resolves once what was sent is with the system. */
function turn(line: Line): Promise<void> {
  return new Promise((resolve) => void line.socket.write("", () => resolve()));
}

/** The life of a client takes its time: this is no wait for something to happen. */
function stay(forMs: number): Promise<void> {
  return new Promise((resolve) => {
    if (forMs === 0) setImmediate(resolve);
    else setTimeout(resolve, forMs);
  });
}
