import { SyntaxKind } from "typescript/unstable/ast";
import type { Source, Token } from "./source.ts";

export interface Code {
  readonly code: string;
  readonly line: number;
}

/**
 * The codes that a file defines: the texts of types and `as const` objects that are called …Code or …Reason, and those
 * given to `CodedError` directly.
 */
export function codesOf({ tokens }: Source): Code[] {
  return tokens.flatMap((token, at) => {
    const before = tokens[at - 1]?.kind;
    const isDefined = before === SyntaxKind.TypeKeyword || before === SyntaxKind.ConstKeyword;
    const equals = tokens[at + 1]?.kind === SyntaxKind.EqualsToken;
    if (isDefined && equals && /(Code|Reason)$/.test(token.text))
      return textsUntil(tokens, at, [SyntaxKind.SemicolonToken]);
    const isDirect = token.text === "CodedError" && tokens[at + 1]?.kind === SyntaxKind.LessThanToken;
    return isDirect ? textsUntil(tokens, at, [SyntaxKind.GreaterThanToken]) : [];
  });
}

function textsUntil(tokens: readonly Token[], from: number, ends: readonly SyntaxKind[]): Code[] {
  const codes: Code[] = [];
  for (let at = from; at < tokens.length && !ends.includes((tokens[at] as Token).kind); at++) {
    const { kind, value, line } = tokens[at] as Token;
    if (kind === SyntaxKind.StringLiteral) codes.push({ code: value, line });
  }
  return codes;
}
