/** The program with one mutation of the house in it: `mutant-command.ts <number> <what streamkeeper takes>`. */
import assert from "node:assert/strict";
import { mutate } from "../simulate/mutation-hook.ts";
import { MUTATIONS } from "../simulate/mutations.ts";

const [node = "", file = "", number, ...rest] = process.argv;
const mutation = MUTATIONS[Number(number)];
assert.ok(mutation !== undefined, `there is no mutation ${number}`);
mutate(mutation);
process.argv = [node, file, ...rest];
await import("../../src/cli/main.ts");
