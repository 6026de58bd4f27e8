import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { ContractService } from "../contract/sse-contract-service.ts";

/**
 * LaunchDarkly's harness, a Go program: on the PATH, or where `SSE_CONTRACT_TESTS` says. Built from its sources by
 * `go build -o sse-contract-tests .`, as of v2.31.0.
 */
const HARNESS = find("sse-contract-tests", process.env.SSE_CONTRACT_TESTS);

/** What it leaves out, since it is not among our capabilities. */
const SKIPPED = [
  "HTTP behavior/POST request",
  "HTTP behavior/REPORT request",
  "comments",
  "reconnection/resends request body if any when reconnecting",
];

test("sse contract: a real link passes every case of the harness that is about what links do", {
  skip: HARNESS === null ? "sse-contract-tests is not installed here" : false,
  timeout: 120_000,
}, async (context) => {
  await using service = new ContractService();
  await service.listen();
  const port = await freePort();
  const harness = spawn(
    HARNESS ?? assert.fail(),
    ["--url", service.url, "--host", "127.0.0.1", "--port", String(port), "--stop-service-at-end"],
    { stdio: ["ignore", "pipe", "pipe"], signal: context.signal },
  );
  const exited = new Promise<number | null>((resolve, reject) => {
    harness.once("error", reject);
    harness.once("exit", resolve);
  });
  const [output, faults, status] = await Promise.all([text(harness.stdout), text(harness.stderr), exited]);
  // Colours are left out where the output is no terminal.
  assert.equal(status, 0, output + faults);
  assert.deepEqual(
    [...output.matchAll(/^ +SKIPPED: (.+?) \(/gm)].map(([, name]) => name).toSorted(),
    SKIPPED,
  );
  const cases = [...output.matchAll(/^\[.+\]$/gm)].length;
  assert.ok(cases >= 100, `${cases} cases`);
  await service.stopped;
  assert.equal(service.clients, 0, "every client was closed");
  context.diagnostic(`${cases} cases and groups of cases, ${SKIPPED.length} skipped by capability`);
});

function find(name: string, named: string | undefined): string | null {
  const places = [named, ...(process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, name))];
  return places.find((place) => place !== undefined && isExecutable(place)) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A port that was free a moment ago: the harness takes a number only. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : assert.fail();
}
