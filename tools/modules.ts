import { posix } from "node:path";
import { SyntaxKind } from "typescript/unstable/ast";
import type { Source, Token } from "./source.ts";

/** One import, re-export or mention of another module. */
export interface Import {
  readonly specifier: string;
  /** Path from the root, for a module of ours; else null. */
  readonly target: string | null;
  /** Names taken from it, as they are called there; null: all of them. */
  readonly names: readonly string[] | null;
  /** Names of values, types left out; null: all of them. Empty for a type-only import. */
  readonly values: readonly string[] | null;
  readonly line: number;
}

export interface Export {
  readonly name: string;
  readonly line: number;
  readonly doc: string;
  /**
   * It is a type, an error class or a CONSTANT, such as a bound: what the module's other exports are made of, throw or
   * keep to. Used by them, it needs no further use.
   */
  readonly speaksForItself: boolean;
}

export interface Module {
  readonly source: Source;
  readonly imports: readonly Import[];
  readonly exports: readonly Export[];
}

/** The imports and exports of a file. It knows the forms that this project writes, and throws at others. */
export function moduleOf(source: Source): Module {
  const imports: Import[] = [];
  const exports: Export[] = [];
  const { tokens } = source;
  for (let at = 0; at < tokens.length; at++) {
    const { kind } = tokens[at] as Token;
    const before = tokens[at - 1]?.kind;
    if (kind === SyntaxKind.ImportKeyword && before !== SyntaxKind.DotToken) {
      const found = importAt(source, at);
      if (found !== null) imports.push(found);
    } else if (kind === SyntaxKind.ExportKeyword) {
      const reexport = reexportAt(source, at);
      if (reexport !== null) imports.push(reexport);
      exports.push(...exportsAt(source, at));
    } else if (
      kind === SyntaxKind.StringLiteral &&
      !isSpecifier(tokens, at) &&
      /^\.{1,2}\/.*\.ts$/.test((tokens[at] as Token).value)
    ) {
      // A file that is named without being imported, such as a child process's or a worker's.
      const { value, line } = tokens[at] as Token;
      imports.push({ specifier: value, target: resolve(source.path, value), names: null, values: [], line });
    }
  }
  return { source, imports, exports };
}

/** Whether the string at `at` is an import's, which is read with it. */
function isSpecifier(tokens: readonly Token[], at: number): boolean {
  const before = tokens[at - 1]?.kind;
  if (before === SyntaxKind.FromKeyword || before === SyntaxKind.ImportKeyword) return true;
  return before === SyntaxKind.OpenParenToken && tokens[at - 2]?.kind === SyntaxKind.ImportKeyword;
}

function importAt(source: Source, at: number): Import | null {
  const { tokens } = source;
  const next = tokens[at + 1] as Token;
  if (next.kind === SyntaxKind.DotToken) return null; // import.meta
  const { line } = tokens[at] as Token;
  if (next.kind === SyntaxKind.OpenParenToken) {
    const specifier = (tokens[at + 2] as Token).value;
    return make(source, specifier, namesBeforeAwait(tokens, at), line);
  }
  if (next.kind === SyntaxKind.StringLiteral)
    return make(source, next.value, { names: [], values: [] }, line);
  return make(source, ...clauseAt(tokens, at + 1), line);
}

function reexportAt(source: Source, at: number): Import | null {
  const { tokens } = source;
  const typed = tokens[at + 1]?.kind === SyntaxKind.TypeKeyword ? 1 : 0;
  const opens = tokens[at + 1 + typed]?.kind;
  if (opens !== SyntaxKind.OpenBraceToken && opens !== SyntaxKind.AsteriskToken) return null;
  let end = at;
  while (![SyntaxKind.SemicolonToken, SyntaxKind.FromKeyword].includes((tokens[end] as Token).kind)) end++;
  if ((tokens[end] as Token).kind !== SyntaxKind.FromKeyword) return null;
  return make(source, ...clauseAt(tokens, at + 1), (tokens[at] as Token).line);
}

interface Names {
  readonly names: readonly string[] | null;
  readonly values: readonly string[] | null;
}

/** `type? (Default | * as name | { a, type b as c }) from "…"`, from `at` on. */
function clauseAt(tokens: readonly Token[], at: number): [string, Names] {
  const typeOnly =
    (tokens[at] as Token).kind === SyntaxKind.TypeKeyword && tokens[at + 1]?.kind !== SyntaxKind.FromKeyword;
  const names: string[] = [];
  const values: string[] = [];
  let all = false;
  let position = typeOnly ? at + 1 : at;
  for (; (tokens[position] as Token).kind !== SyntaxKind.FromKeyword; position++) {
    const token = tokens[position] as Token;
    if (token.kind === SyntaxKind.AsteriskToken) all = true;
    else if (token.kind === SyntaxKind.OpenBraceToken) {
      const specifiers = specifiersAt(tokens, position + 1);
      names.push(...specifiers.names);
      if (!typeOnly) values.push(...specifiers.values);
      position = specifiers.end;
    } else if (token.kind === SyntaxKind.Identifier && !all) {
      names.push("default");
      if (!typeOnly) values.push("default");
    }
  }
  const specifier = (tokens[position + 1] as Token).value;
  return [specifier, all ? { names: null, values: typeOnly ? [] : null } : { names, values }];
}

/** `a, b as c, type D }`, from `at` on. */
function specifiersAt(
  tokens: readonly Token[],
  at: number,
): { names: string[]; values: string[]; end: number } {
  const names: string[] = [];
  const values: string[] = [];
  let parts: Token[] = [];
  let position = at;
  for (; ; position++) {
    const token = tokens[position] as Token;
    const closes = token.kind === SyntaxKind.CloseBraceToken;
    if (!closes && token.kind !== SyntaxKind.CommaToken) {
      parts.push(token);
      continue;
    }
    const typed =
      parts.length > 1 && (parts[0] as Token).kind === SyntaxKind.TypeKeyword && parts[1]?.text !== "as";
    const name = (typed ? parts[1] : parts[0])?.text;
    if (name !== undefined) {
      names.push(name);
      if (!typed) values.push(name);
    }
    parts = [];
    if (closes) return { names, values, end: position };
  }
}

/** `const { a, b: c } = await import(…)` takes `a` and `b`; `(await import(…)).a` takes `a`; any other form takes all. */
function namesBeforeAwait(tokens: readonly Token[], at: number): Names {
  const before = (back: number) => tokens[at - back];
  if (before(1)?.kind !== SyntaxKind.AwaitKeyword) return { names: null, values: null };
  if (before(2)?.kind === SyntaxKind.EqualsToken && before(3)?.kind === SyntaxKind.CloseBraceToken) {
    let open = at - 4;
    while (open > 0 && (tokens[open] as Token).kind !== SyntaxKind.OpenBraceToken) open--;
    const names: string[] = [];
    for (let position = open + 1; position < at - 3; position++) {
      const previous = (tokens[position - 1] as Token).kind;
      const starts = previous === SyntaxKind.OpenBraceToken || previous === SyntaxKind.CommaToken;
      if (starts) names.push((tokens[position] as Token).text);
    }
    return { names, values: names };
  }
  const after = [3, 4, 5, 6].map((ahead) => tokens[at + ahead]);
  const isMember = after[1]?.kind === SyntaxKind.CloseParenToken && after[2]?.kind === SyntaxKind.DotToken;
  const member = isMember ? [(after[3] as Token).text] : null;
  return { names: member, values: member };
}

function make(source: Source, specifier: string, { names, values }: Names, line: number): Import {
  return { specifier, target: resolve(source.path, specifier), names, values, line };
}

/** The path from the root that a specifier of ours stands for; null for a package's. */
function resolve(from: string, specifier: string): string | null {
  if (specifier.startsWith("#")) return `src/${specifier.slice(1)}`;
  return specifier.startsWith(".") ? posix.join(posix.dirname(from), specifier) : null;
}

const DECLARED = new Set<SyntaxKind>([
  SyntaxKind.ConstKeyword,
  SyntaxKind.LetKeyword,
  SyntaxKind.FunctionKeyword,
  SyntaxKind.ClassKeyword,
  SyntaxKind.InterfaceKeyword,
  SyntaxKind.TypeKeyword,
]);

const MODIFIERS = new Set<SyntaxKind>([
  SyntaxKind.AsyncKeyword,
  SyntaxKind.AbstractKeyword,
  SyntaxKind.DeclareKeyword,
]);

function exportsAt(source: Source, at: number): Export[] {
  const { tokens } = source;
  const { doc, line } = tokens[at] as Token;
  let position = at + 1;
  while (MODIFIERS.has((tokens[position] as Token).kind)) position++;
  const declared = (tokens[position] as Token).kind;
  const follows = (tokens[position + 1] as Token).kind;
  const list =
    declared === SyntaxKind.OpenBraceToken
      ? position
      : follows === SyntaxKind.OpenBraceToken
        ? position + 1
        : null;
  if (list !== null) {
    // What a list gives on is called by its new name; `specifiersAt` answers the old one, and we rename nothing.
    return specifiersAt(tokens, list + 1).names.map((name) => ({ name, line, doc, speaksForItself: false }));
  }
  if (!DECLARED.has(declared))
    throw new Error(`${source.path}:${line}: write this export as a declaration or a list`);
  const generator = follows === SyntaxKind.AsteriskToken ? 1 : 0;
  const name = (tokens[position + 1 + generator] as Token).text;
  const isType = declared === SyntaxKind.InterfaceKeyword || declared === SyntaxKind.TypeKeyword;
  const extended =
    declared === SyntaxKind.ClassKeyword && tokens[position + 2]?.kind === SyntaxKind.ExtendsKeyword;
  const isError = extended && /Error$/.test(tokens[position + 3]?.text ?? "");
  return [{ name, line, doc, speaksForItself: isType || isError || /^[A-Z][A-Z0-9_]+$/.test(name) }];
}
