import { accessSync, constants, statSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { messageOf } from "#base/errors.ts";

/**
 * Why a report could not be written to a file, and what to do; null: it could be, as far as can be known without writing.
 * To be asked before hours are spent on a report.
 */
export function reportFileFault(file: string): string | null {
  const folder = dirname(resolve(file));
  try {
    const there = statSync(file, { throwIfNoEntry: false });
    if (there?.isDirectory() === true) return `${file} is a folder: name a file in it for the report`;
    if (there === undefined && statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
      return `there is no folder ${folder} to write the report to: create it, or name another file`;
    accessSync(there === undefined ? folder : file, constants.W_OK);
    return null;
  } catch (thrown) {
    return `the report can't be written to ${file}: name another file (${messageOf(thrown)})`;
  }
}

/** Whether it was written; if not, standard error says why. What was found is told elsewhere: it must not end here. */
export function writeReport(file: string, text: string): boolean {
  try {
    writeFileSync(file, text);
    return true;
  } catch (thrown) {
    process.stderr.write(`error: the report could not be written to ${file}: ${messageOf(thrown)}\n`);
    return false;
  }
}
