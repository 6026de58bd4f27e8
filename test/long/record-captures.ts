import { writeFileSync } from "node:fs";
import { seededRandom } from "#base/random.ts";
import { SystemClock } from "#base/system-clock.ts";
import { openDemoFeed } from "#lab/demo-feed/server.ts";
import { captureFile } from "../fuzz/captures.ts";
import { Recorder, type Session, visitAll } from "../fuzz/sessions.ts";
import { feedYaml, openGateway, signIn } from "../helpers/gateway.ts";
import { SseClient } from "../helpers/sse-client.ts";

/**
 * Records what fuzzing mutates: `npm run fuzz:record`. The gateway and its key exist for these seconds only, so the tokens in
 * the recordings are worth nothing.
 */
const BYTES_MAX = 16 * 1024;

await using feed = await openDemoFeed(
  { host: "127.0.0.1", port: 0, eventsPerSecond: 50, resetEveryMs: null },
  new SystemClock(),
  seededRandom(1),
);
await using feedRecorder = await new Recorder(`http://127.0.0.1:${feed.port}`).open();
await using gateway = await openGateway(feedYaml(`${feedRecorder.url}/quotes?symbols={keys}`));
await using recorder = await new Recorder(gateway.url).open();
const token = await signIn(gateway);
const sessions: Session[] = await visitAll({ recorder, token, topic: "/chat/room" });
{
  using client = await new SseClient(gateway.url, "match=/quotes/AAPL", { token }).opened();
  await client.data(20);
  sessions.push(feedRecorder.take("feed"));
}
for (const { name, client, server } of sessions) {
  writeFileSync(captureFile(name, "client"), client.subarray(0, BYTES_MAX));
  writeFileSync(captureFile(name, "server"), server.subarray(0, BYTES_MAX));
  console.log(`${name}: ${client.length} bytes from the client, ${server.length} from the server`);
}
