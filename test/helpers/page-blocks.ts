import { readFileSync } from "node:fs";

/** A block of code of a page of the documentation. */
export interface Block {
  readonly line: number;
  /** The fence's words, such as `sh` or `js browser`. */
  readonly language: string;
  readonly code: string;
  /** It comes before every later block of the shell. */
  readonly isSetup: boolean;
  /** What it prints in the end; null: it is not marked to be run. */
  readonly until: RegExp | null;
}

/**
 * Blocks of a page, with the mark in the line before: `<!-- setup -->`, or `<!-- runs until: PATTERN -->`.
 *
 * @param path from the checkout's root
 */
export function blocksOf(path: string): Block[] {
  const lines = readFileSync(new URL(`../../${path}`, import.meta.url), "utf8").split("\n");
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at++) {
    const fence = /^```(\S.*)$/.exec(lines[at] ?? "");
    if (fence === null) continue;
    const end = lines.indexOf("```", at);
    const mark = lines[at - 1] ?? "";
    const until = /^<!-- runs until: (.*) -->$/.exec(mark)?.[1];
    blocks.push({
      line: at + 1,
      language: fence[1] as string,
      code: lines.slice(at + 1, end).join("\n"),
      isSetup: mark === "<!-- setup -->",
      until: until === undefined ? null : new RegExp(until, "m"),
    });
    at = end;
  }
  return blocks;
}
