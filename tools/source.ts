import { globSync, readFileSync } from "node:fs";
import { SyntaxKind } from "typescript/unstable/ast";
import { createScanner } from "typescript/unstable/ast/scanner";

/** The checkout's root, with a slash at its end. */
export const ROOT = new URL("../", import.meta.url).pathname;

export interface Token {
  readonly kind: SyntaxKind;
  /** As it is written. */
  readonly text: string;
  /** For strings and templates without substitutions: their content. */
  readonly value: string;
  readonly line: number;
  /** The doc comment right before it, or "". */
  readonly doc: string;
}

/** A TypeScript file of the project. */
export interface Source {
  /** From the root, such as `src/base/clock.ts`. */
  readonly path: string;
  readonly text: string;
  readonly tokens: readonly Token[];
  readonly lines: number;
}

/** Every TypeScript file of ours, in order of their paths. */
export function readSources(): Source[] {
  return globSync(["src/**/*.ts", "test/**/*.ts", "tools/**/*.ts", "bench/**/*.ts"], { cwd: ROOT })
    .toSorted()
    .map((path) => sourceOf(path, readFileSync(ROOT + path, "utf8")));
}

export function sourceOf(path: string, text: string): Source {
  return { path, text, tokens: tokensOf(text), lines: text.split("\n").length - 1 };
}

/** Whether a file is run by the test runner, or only helps those that are. */
export function isTest(path: string): boolean {
  return path.endsWith(".test.ts") || path.startsWith("test/");
}

function tokensOf(text: string): Token[] {
  const scanner = createScanner(true, undefined, text);
  const lineOf = lineIndex(text);
  const tokens: Token[] = [];
  // For each open brace, whether it is a template's `${`, so that its closing brace goes on with the template.
  const braces: boolean[] = [];
  for (;;) {
    let kind = scanner.scan();
    if (kind === SyntaxKind.EndOfFile) return tokens;
    if (isSlash(kind) && !endsExpression(tokens.at(-1))) kind = scanner.reScanSlashToken();
    if (kind === SyntaxKind.OpenBraceToken) braces.push(false);
    if (kind === SyntaxKind.TemplateHead) braces.push(true);
    if (kind === SyntaxKind.CloseBraceToken && braces.pop()) {
      kind = scanner.reScanTemplateToken(false);
      if (kind === SyntaxKind.TemplateMiddle) braces.push(true);
    }
    const start = scanner.getTokenStart();
    const between = text.slice(scanner.getTokenFullStart(), start);
    const doc = between.includes("/**") ? between.slice(between.lastIndexOf("/**")) : "";
    tokens.push({
      kind,
      text: scanner.getTokenText(),
      value: scanner.getTokenValue(),
      line: lineOf(start),
      doc,
    });
  }
}

function isSlash(kind: SyntaxKind): boolean {
  return kind === SyntaxKind.SlashToken || kind === SyntaxKind.SlashEqualsToken;
}

/** After such a token a slash divides; after any other it begins a regular expression. */
function endsExpression(token: Token | undefined): boolean {
  if (token === undefined) return false;
  const { kind } = token;
  if (kind === SyntaxKind.Identifier || kind === SyntaxKind.ThisKeyword || kind === SyntaxKind.SuperKeyword)
    return true;
  if (kind >= SyntaxKind.NumericLiteral && kind <= SyntaxKind.NoSubstitutionTemplateLiteral) return true;
  return [
    SyntaxKind.CloseParenToken,
    SyntaxKind.CloseBracketToken,
    SyntaxKind.CloseBraceToken,
    SyntaxKind.TemplateTail,
  ].includes(kind);
}

function lineIndex(text: string): (position: number) => number {
  const starts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  let line = 0;
  return (position) => {
    while (line + 1 < starts.length && (starts[line + 1] as number) <= position) line++;
    return line + 1;
  };
}
