import { SyntaxKind } from "typescript/unstable/ast";
import type { Module } from "./modules.ts";
import type { Token } from "./source.ts";

/** Modules that reach out of the process, or make it wait. Types of them, and pure functions, may be used anywhere. */
const WORLDLY_MODULES =
  /^(node:(child_process|cluster|dgram|dns|fs|http|http2|https|inspector|net|os|perf_hooks|readline|sqlite|timers|tls|worker_threads)(\/promises)?|undici|ws|pg|fastify)$/;

const PURE_NAMES = new Set(["isIP", "isIPv4", "isIPv6", "BlockList"]);

const TIMERS = new Set(["setTimeout", "setInterval", "setImmediate"]);

/** What of the world a file touches, each with its line. */
export function touchesOf({ imports, source }: Module): string[] {
  const imported = imports
    .filter(({ specifier, values }) => {
      const impure = values === null || values.some((name) => !PURE_NAMES.has(name));
      return impure && WORLDLY_MODULES.test(specifier);
    })
    .map(({ specifier, line }) => `line ${line}: ${specifier}`);
  const { tokens } = source;
  const called = tokens.flatMap((token, at) => {
    const what = callAt(tokens, at);
    return what === null ? [] : [`line ${token.line}: ${what}`];
  });
  return [...imported, ...called];
}

function callAt(tokens: readonly Token[], at: number): string | null {
  const token = tokens[at] as Token;
  if (token.kind !== SyntaxKind.Identifier || tokens[at - 1]?.kind === SyntaxKind.DotToken) return null;
  const isCall = tokens[at + 1]?.kind === SyntaxKind.OpenParenToken;
  if (TIMERS.has(token.text) && isCall && tokens[at - 1]?.kind !== SyntaxKind.FunctionKeyword)
    return token.text;
  const member = tokens[at + 1]?.kind === SyntaxKind.DotToken ? `${token.text}.${tokens[at + 2]?.text}` : "";
  if (member === "Date.now" || member === "performance.now" || member === "Math.random") return member;
  const isNew = tokens[at - 1]?.kind === SyntaxKind.NewKeyword;
  const isEmpty = isCall && tokens[at + 2]?.kind === SyntaxKind.CloseParenToken;
  return token.text === "Date" && isNew && isEmpty ? "new Date()" : null;
}
