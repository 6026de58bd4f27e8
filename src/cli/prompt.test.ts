import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { HiddenLine, type PromptStreams, readPassword } from "./prompt.ts";

function piped(text: string, environment: Record<string, string> = {}): PromptStreams {
  const input = new PassThrough();
  input.end(text);
  return { input, output: new PassThrough(), environment };
}

/** A terminal on which the lines are typed as they are asked for. */
function terminal(...lines: string[]) {
  const raw: boolean[] = [];
  const input = Object.assign(new PassThrough(), {
    isTTY: true as const,
    setRawMode(on: boolean) {
      raw.push(on);
      return input as never;
    },
  });
  const shown: string[] = [];
  const output = new PassThrough();
  output.on("data", (chunk) => {
    shown.push(String(chunk));
    const line = String(chunk).endsWith(": ") ? lines.shift() : undefined;
    if (line !== undefined) input.write(line);
  });
  return { streams: { input, output, environment: {} } satisfies PromptStreams, raw, shown };
}

test("password: from standard input, less one line end", async () => {
  assert.equal(await readPassword({ stdin: true }, piped("correct horse\n")), "correct horse");
  assert.equal(await readPassword({ stdin: true }, piped("correct horse\r\n")), "correct horse");
  assert.equal(await readPassword({ stdin: true }, piped(" spaces \n\n")), " spaces \n");
});

test("password: standard input that is empty or endless is refused", async () => {
  await assert.rejects(readPassword({ stdin: true }, piped("\n")), { code: "no_password" });
  await assert.rejects(readPassword({ stdin: true }, piped("x".repeat(5000))), { code: "input_too_long" });
});

test("password: from the environment, unless standard input was asked for", async () => {
  const environment = { STREAMKEEPER_PASSWORD: "from env" };
  assert.equal(await readPassword({ stdin: false }, piped("", environment)), "from env");
  assert.equal(await readPassword({ stdin: true }, piped("from pipe", environment)), "from pipe");
});

test("password: without a terminal, a pipe that was not asked for is not read", async () => {
  await assert.rejects(readPassword({ stdin: false }, piped("secret\n")), {
    code: "no_password",
    message: /--password-stdin/,
  });
});

test("password: typed on a terminal, never shown, and the terminal is left as it was", async () => {
  const { streams, raw, shown } = terminal("correct horse\r");
  assert.equal(await readPassword({ stdin: false }, streams), "correct horse");
  assert.deepEqual(raw, [true, false]);
  assert.equal(shown.join(""), "Password: \n");
  assert.equal(streams.input.listenerCount("data"), 0);
});

test("password: a new one is asked for twice, and must be the same", async () => {
  const same = terminal("one two three\r", "one two three\r");
  assert.equal(
    await readPassword({ stdin: false, confirm: true, label: "New password" }, same.streams),
    "one two three",
  );
  assert.equal(same.shown.join(""), "New password: \nNew password again: \n");
  const other = terminal("one two three\r", "one two four\r");
  await assert.rejects(readPassword({ stdin: false, confirm: true }, other.streams), {
    code: "passwords_differ",
  });
});

test("password: both lines pasted at once, cut within a character, are two lines", async () => {
  const { streams } = terminal();
  const bytes = Buffer.from("naïve 🔑 horse\rnaïve 🔑 horse\r");
  for (let at = 0; at < bytes.length; at += 5) streams.input.write(bytes.subarray(at, at + 5));
  assert.equal(await readPassword({ stdin: false, confirm: true }, streams), "naïve 🔑 horse");
});

test("password: Ctrl-C gives up and leaves the terminal as it was", async () => {
  const { streams, raw } = terminal("corr\x03");
  await assert.rejects(readPassword({ stdin: false }, streams), { code: "interrupted" });
  assert.deepEqual(raw, [true, false]);
});

test("hidden line: backspace takes a whole character, Ctrl-U all, other control characters are nothing", () => {
  const line = new HiddenLine();
  assert.equal(line.feed("wrong\x15ab🔑\x7f\x7fc\x01\x1b"), null);
  assert.deepEqual(line.feed("d\rnext"), { line: "acd", rest: "next" });
});
