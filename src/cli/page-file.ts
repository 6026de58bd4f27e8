import { closeSync, existsSync, mkdirSync, openSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf } from "#base/errors.ts";

/**
 * Whether a page can be written there once a long run is over, asked before it begins. Makes the folders that are missing,
 * and leaves an older page as it is.
 *
 * @returns what is wrong, and what to do; null: nothing is
 */
export function pageTrouble(file: string): string | null {
  try {
    mkdirSync(dirname(file), { recursive: true });
    const isNew = !existsSync(file);
    closeSync(openSync(file, "a"));
    if (isNew) rmSync(file);
    return null;
  } catch (thrown) {
    return `--html: no page can be written there (${messageOf(thrown)}); name a file in a folder that you may write to`;
  }
}

/** Writes it. @returns why it could not be written; null: it was */
export function writePage(file: string, page: string): string | null {
  try {
    writeFileSync(file, page);
    return null;
  } catch (thrown) {
    return messageOf(thrown);
  }
}
