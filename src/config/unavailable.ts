import type { FileConfig } from "./schema.ts";

/**
 * Parts of the contract that this version does not have. They are refused, since a setting without effect is worse
 * than none. An entry goes when its part comes, and with the last one this file.
 */
export const UNAVAILABLE: readonly Unavailable[] = [
  {
    path: ["cluster"],
    chosen: (config) => config.cluster !== null,
    expected: "null: several gateways as one hub are not available yet",
  },
];

interface Unavailable {
  readonly path: readonly string[];
  readonly chosen: (config: FileConfig) => boolean;
  readonly expected: string;
}
