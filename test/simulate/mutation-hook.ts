import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import type { Mutation } from "./mutations.ts";

const ROOT = new URL("../../", import.meta.url);

/** For tests: has this process load one file of the house with a mutation in it. No file is changed. */
export function mutate(mutation: Mutation): void {
  const target = new URL(mutation.file, ROOT).href;
  const text = readFileSync(fileURLToPath(target), "utf8");
  assert.equal(text.split(mutation.old).length, 2, `${mutation.file} holds once what is changed`);
  const source = text.replace(mutation.old, () => mutation.replacement);
  registerHooks({
    load: (url, context, next) =>
      url === target ? { format: "module-typescript", source, shortCircuit: true } : next(url, context),
  });
}
