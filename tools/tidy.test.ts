import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { SyntaxKind } from "typescript/unstable/ast";
import { codesOf } from "./codes.ts";
import { type Module, moduleOf } from "./modules.ts";
import { ARROWS, roomOf } from "./rooms.ts";
import { SHELL_FOLDERS, SHELLS } from "./shells.ts";
import { isTest, ROOT, readSources, sourceOf } from "./source.ts";
import { touchesOf } from "./touches.ts";
import { unusedExports, unusedFiles } from "./unused.ts";

const modules = readSources().map(moduleOf);
const house = modules.filter(({ source }) => source.path.startsWith("src/") && !isTest(source.path));

/** Longest file, in lines. Most are far below. */
const LINES_MAX = 400;

test("tidy: rooms import each other one way only", () => {
  const wrong = house.flatMap(({ source, imports }) =>
    imports.flatMap(({ target, values, line }) => {
      const [from, to] = [roomOf(source.path), roomOf(target ?? "")];
      if (from === null || to === null || from === to) return [];
      const arrows = ARROWS[from];
      if (arrows === undefined) return [`${source.path}: room ${from} is not in tools/rooms.ts`];
      const typeOnly = values?.length === 0;
      if (arrows.values.includes(to) || (typeOnly && arrows.types.includes(to))) return [];
      const how = arrows.types.includes(to) ? "types only (`import type`)" : "nothing";
      return [
        `${source.path}:${line}: ${from} may use ${how} of ${to}; move what is shared down, or hand it in`,
      ];
    }),
  );
  none(wrong);
});

test("tidy: a room is imported as #room/file.ts from outside and by relative path from inside", () => {
  const wrong = modules.flatMap(({ source, imports }) =>
    imports.flatMap(({ specifier, target, line }) => {
      if (target === null || !target.startsWith("src/")) return [];
      const inside = roomOf(source.path) === roomOf(target);
      if (inside ? specifier.startsWith(".") : specifier.startsWith("#") || !source.path.startsWith("src/"))
        return [];
      return [
        `${source.path}:${line}: write ${specifier} ${inside ? "as a relative path" : `as #${target.slice(4)}`}`,
      ];
    }),
  );
  none(wrong);
});

test("tidy: no import is of a file that is not there, and test code stays out of the product", () => {
  const paths = new Set(modules.map(({ source }) => source.path));
  const wrong = modules.flatMap(({ source, imports }) =>
    imports.flatMap(({ target, line }) => {
      if (target === null) return [];
      if (!paths.has(target) && !existsSync(ROOT + target))
        return [`${source.path}:${line}: ${target} does not exist`];
      const leaks = source.path.startsWith("src/") && !isTest(source.path) && !target.startsWith("src/");
      return leaks || (!isTest(source.path) && isTest(target))
        ? [`${source.path}:${line}: imports ${target}, which is not part of the product`]
        : [];
    }),
  );
  none(wrong);
});

test("tidy: every file is used by the product, by a tool or by a test", () => {
  none(
    unusedFiles(modules).map(
      (path) =>
        `${path}: nothing but tests reaches it; use it, delete it, or say "For tests" in its doc comment`,
    ),
  );
});

test("tidy: every export is used outside its file", () => {
  none(
    unusedExports(modules).map(
      ({ path, name, line }) =>
        `${path}:${line}: nothing but tests uses export ${name}; drop \`export\`, delete it, or say "For tests" in its doc comment`,
    ),
  );
});

test("tidy: only shells touch sockets, files, processes, timers, the clock and chance", () => {
  const touching = new Map(house.map((module) => [module.source.path, touchesOf(module)]));
  const isShell = (path: string) =>
    path in SHELLS || Object.keys(SHELL_FOLDERS).some((folder) => path.startsWith(folder));
  const wrong = [...touching].flatMap(([path, touches]) =>
    touches.length === 0 || isShell(path)
      ? []
      : [
          `${path}: ${touches.join("; ")}: take it as an argument (Clock, Random, a port), or list the file in tools/shells.ts`,
        ],
  );
  const idle = Object.keys(SHELLS).filter((path) => (touching.get(path) ?? []).length === 0);
  none([
    ...wrong,
    ...idle.map((path) => `${path}: touches nothing of the world; take it off tools/shells.ts`),
  ]);
});

test("tidy: no file is longer than it should be", () => {
  none(
    modules
      .filter(({ source }) => source.lines > LINES_MAX)
      .map(
        ({ source }) => `${source.path}: ${source.lines} lines, at most ${LINES_MAX}; split it by concept`,
      ),
  );
});

test("tidy: every dependency has its reason in docs/dependencies.md, and no other stands there", () => {
  const names = ["package.json", "dashboard/package.json"].flatMap((path) => {
    const { dependencies = {}, devDependencies } = JSON.parse(readFileSync(`${ROOT}${path}`, "utf8"));
    return [...Object.keys(dependencies), ...Object.keys(devDependencies)];
  });
  const rows = readFileSync(`${ROOT}docs/dependencies.md`, "utf8").matchAll(/^\| `([^`]+)` \| (.+) \|$/gm);
  const reasons = new Map([...rows].map(([, name, reason]) => [name as string, reason as string]));
  none([
    ...names
      .filter((name) => (reasons.get(name) ?? "").length < 20)
      .map((name) => `${name}: give its reason in docs/dependencies.md`),
    ...[...reasons.keys()]
      .filter((name) => !names.includes(name))
      .map((name) => `${name}: no dependency any more; take it off docs/dependencies.md`),
  ]);
});

test("tidy: the product uses the packages of package.json only, and each of its dependencies", () => {
  const { dependencies } = JSON.parse(readFileSync(`${ROOT}package.json`, "utf8"));
  const used = new Map(
    house.flatMap(({ source, imports }) =>
      imports
        .filter(({ specifier }) => !/^[.#]|^node:/.test(specifier))
        .map(({ specifier, line }) => [packageOf(specifier), `${source.path}:${line}`] as const),
    ),
  );
  none([
    ...[...used]
      .filter(([name]) => !(name in dependencies))
      .map(([name, place]) => `${place}: ${name} is not among package.json's dependencies`),
    ...Object.keys(dependencies)
      .filter((name) => !used.has(name))
      .map((name) => `package.json: no file of src/ uses ${name}; remove it`),
  ]);
});

test("tidy: every code of a closed list is in docs/reasons.md", () => {
  const documented = new Set(
    [...readFileSync(`${ROOT}docs/reasons.md`, "utf8").matchAll(/^\| `([^`]+)`/gm)].map(([, code]) => code),
  );
  const missing = house.flatMap(({ source }) =>
    codesOf(source)
      .filter(({ code }) => !documented.has(code))
      .map(
        ({ code, line }) =>
          `${source.path}:${line}: ${code} is not in docs/reasons.md; add its table to tools/reasons-docs.ts and run it`,
      ),
  );
  none(missing);
});

test("tidy: no test is left alone with `.only`, skipped without a reason, or sleeps", () => {
  const wrong = modules
    .filter(({ source }) => isTest(source.path))
    .flatMap(({ source }) => [
      ...findTokens(
        source.path,
        source.tokens,
        ["test|describe|it|suite", ".", "only|todo", "("],
        "remove it",
      ),
      ...findTokens(source.path, source.tokens, ["only", ":", "true"], "remove it"),
      ...findTokens(source.path, source.tokens, ["skip", ":", "true"], "give the reason as text"),
      ...findTokens(
        source.path,
        source.tokens,
        ["from", '"node:timers/promises"'],
        "wait for what happens, or move a virtual clock",
      ),
      ...findTokens(
        source.path,
        source.tokens,
        ["new", "Promise", "(", "(", "resolve|done|r|_", ")", "=>", "setTimeout"],
        "wait for what happens, or move a virtual clock",
      ),
      ...findTokens(source.path, source.tokens, ["Atomics", ".", "wait"], "wait for what happens"),
    ]);
  none(wrong);
});

test("tidy: nothing says where it was written", () => {
  // Character classes keep these patterns from finding themselves.
  const places =
    /(^|[\s"'`(=])\/(wor[k]|roo[t]|hom[e]|User[s])\/[\w.-]+|\.mirro[r]\/|:\/\/(?!registry\.npmjs\.org)[\w.-]*\b(registr[y]|artifactor[y]|nexu[s]|jfro[g])\b/;
  const files = globSync(
    [
      "*.md",
      "*.json",
      "*.yaml",
      ".ci/*",
      "bin/*",
      "docs/**/*.md",
      "{src,test,tools,bench}/**/*.{ts,sh,md,yaml,conf,json}",
    ],
    { cwd: ROOT },
  );
  const wrong = files
    .filter((file) => !file.includes("node_modules"))
    .flatMap((file) =>
      readFileSync(ROOT + file, "utf8")
        .split("\n")
        .flatMap((text, index) => {
          const found = places.exec(text)?.[0];
          return found === undefined
            ? []
            : [
                `${file}:${index + 1}: ${found.trim()}: name no path or host of the machine that it was written on`,
              ];
        }),
    );
  none(wrong);
});

test("tidy: what finds all this finds it", () => {
  const sample = moduleOf(sourceOf("src/hub/sample.ts", SAMPLE));
  assert.deepEqual(
    sample.imports.map(({ target, names, values }) => ({ target, names, values })),
    [
      { target: "src/app/a.ts", names: ["one", "Two"], values: ["one"] },
      { target: null, names: ["createServer"], values: ["createServer"] },
      { target: "src/hub/b.ts", names: null, values: [] },
      { target: "src/hub/c.ts", names: ["late"], values: ["late"] },
    ],
  );
  assert.deepEqual(
    sample.exports.map(({ name }) => name),
    ["used", "Sample", "ACode", "BReason"],
  );
  assert.deepEqual(touchesOf(sample), ["line 2: node:net", "line 5: Date.now"]);
  assert.deepEqual(
    codesOf(sample.source).map(({ code }) => code),
    ["code_a", "code_b", "code_c", "code_d"],
  );
  assert.equal(findTokens("t", sample.source.tokens, ["test", ".", "only"], "").length, 1);
});

const SAMPLE = `import { one, type Two as Three } from "#app/a.ts";
import { createServer } from "node:net";
import type * as b from "./b.ts";
const { late } = await import("./c.ts");
export const used = () => Date.now() / 2 / \`\${"setTimeout()"} import \${{ a: 1 }}\`.length; // setTimeout(
export class Sample { pattern = /import "x" setTimeout\\(/; }
test.only("x", () => {});
export type ACode = "code_a" | "code_b";
export const BReason = { code_c: "code_c" } as const;
class C extends CodedError<"code_d"> {}
`;

function findTokens(
  path: string,
  tokens: Module["source"]["tokens"],
  pattern: readonly string[],
  advice: string,
): string[] {
  return tokens.flatMap((token, at) => {
    const matches = pattern.every((part, offset) => {
      const found = tokens[at + offset];
      return found !== undefined && part.split("|").includes(found.text);
    });
    return matches && token.kind !== SyntaxKind.StringLiteral
      ? [`${path}:${token.line}: \`${pattern.join("")}\`: ${advice}`]
      : [];
  });
}

function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function none(wrong: readonly string[]): void {
  assert.ok(wrong.length === 0, `\n${wrong.join("\n")}\n`);
}
