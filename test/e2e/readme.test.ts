import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { blocksOf } from "../helpers/page-blocks.ts";
import { Program, run } from "../helpers/program.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const TLS = new URL("../fixtures/tls/", import.meta.url).pathname;
const directory = mkdtempSync(join(tmpdir(), "streamkeeper-readme-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const blocks = blocksOf("README.md");
const codeOf = (language: string, start: RegExp): string => {
  const found = blocks.find((block) => block.language === language && start.test(block.code));
  assert.ok(found, `README.md has a block of ${language} like ${start}`);
  return found.code;
};
/** Commands of a block, without their comments. */
const commandsOf = (code: string): string[][] =>
  code.split("\n").map((line) => line.replace(/\s*#.*$/, "").split(" "));

test("README: its two commands are `npm ci && npm start`, and the latter is the demo that it tells of", async () => {
  assert.equal(codeOf("sh", /npm start/), "npm ci && npm start");
  const { scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));
  assert.equal(scripts.start, "bin/streamkeeper demo");
  await using demo = new Program(["demo", "--port", "0"]);
  const [, url = ""] = await demo.printed(/running at (http:\/\/127\.0\.0\.1:\d+)/);
  const page = await fetch(`${url}/admin/`);
  assert.equal(page.status, existsSync(`${ROOT}dist/dashboard/index.html`) ? 200 : 503);
  const signedIn = await run(["login", "--url", url, "--user", "demo", "--password-stdin"], {
    stdin: "demo\n",
  });
  assert.equal(signedIn.status, 0, signedIn.stdout + signedIn.stderr);
});

test("README: its configuration is right, and its commands on it do what they say", async () => {
  writeFileSync(join(directory, "streamkeeper.yaml"), codeOf("yaml", /^listen:/));
  mkdirSync(join(directory, "certs"));
  cpSync(`${TLS}good.crt`, join(directory, "certs/fullchain.pem"));
  cpSync(`${TLS}good.key`, join(directory, "certs/privkey.pem"));
  const options = { cwd: directory, env: { FEED_TOKEN: "a secret" } };
  const commands = commandsOf(codeOf("sh", /config check/));
  assert.deepEqual(
    commands.map(([program]) => program),
    ["bin/streamkeeper", "bin/streamkeeper", "bin/streamkeeper"],
  );
  const [check = [], add = [], serve = []] = commands.map((words) => words.slice(1));
  const checked = await run(check, options);
  assert.equal(checked.status, 0, checked.stdout + checked.stderr);
  const added = await run([...add, "--password-stdin"], { ...options, stdin: "correct horse\n" });
  assert.equal(added.status, 0, added.stdout + added.stderr);
  assert.deepEqual(serve, ["serve"]);
});

test("README: its commands are the program's, each of them", async () => {
  const { stdout } = await run(["--help"]);
  const helped = [...stdout.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name as string);
  const text = readFileSync(`${ROOT}README.md`, "utf8");
  const told = [...text.matchAll(/^\| `streamkeeper ([a-z]+)/gm)].map(([, name]) => name as string);
  const known = [...new Set(helped)].filter((name) => name !== "help");
  assert.deepEqual(told.toSorted(), known.toSorted());
});

test("documentation: every link to a file leads to one, from every page", () => {
  const pages = ["README.md", "CONTRIBUTING.md", "SECURITY.md", ...globSync("docs/**/*.md", { cwd: ROOT })];
  const wrong = pages.flatMap((page) => {
    const text = readFileSync(ROOT + page, "utf8").replaceAll(/```[\s\S]*?\n```/g, "");
    return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => (target as string).split("#", 1)[0] as string)
      .filter((target) => target !== "" && !/^[a-z]+:/.test(target))
      .filter((target) => !existsSync(join(ROOT, dirname(page), target)))
      .map((target) => `${page}: ${target}`);
  });
  assert.deepEqual(wrong, []);
});

test("documentation: every page of docs/ is reached from the README", () => {
  const text = readFileSync(`${ROOT}README.md`, "utf8");
  const pages = globSync("docs/*.md", { cwd: ROOT });
  assert.deepEqual(
    pages.filter((page) => !text.includes(`](${page})`)),
    [],
  );
});
