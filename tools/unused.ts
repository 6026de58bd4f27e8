import type { Module } from "./modules.ts";
import { isTest } from "./source.ts";

/** Where running begins: the program, processes that it starts, tools, benchmarks and long tests that are run by name. */
const ENTRIES = /^(src\/cli\/main|src\/lab\/(.+\/)?main|bench\/[^/]+|tools\/[^/]+|test\/long\/[^/]+)\.ts$/;

/** How a file or an export says that it is meant for tests. */
const FOR_TESTS = /\bFor tests\b/i;

/** Files that no entry reaches; for those that only serve tests, that no test does. */
export function unusedFiles(modules: readonly Module[]): string[] {
  const byPath = new Map(modules.map((module) => [module.source.path, module]));
  const entries = modules.filter(({ source }) => ENTRIES.test(source.path));
  const product = reachable(entries, byPath);
  const tested = reachable(
    modules.filter(({ source }) => source.path.endsWith(".test.ts")),
    byPath,
  );
  return modules
    .filter(({ source, exports }) => {
      if (product.has(source.path) || source.path.endsWith(".test.ts")) return false;
      const forTests = isTest(source.path) || exports.some(({ doc }) => FOR_TESTS.test(doc));
      return !(forTests && tested.has(source.path));
    })
    .map(({ source }) => source.path);
}

/** Exports that no other file uses; the use by a test counts for what is meant for tests. */
export function unusedExports(modules: readonly Module[]): { path: string; name: string; line: number }[] {
  const used = { product: uses(modules.filter(({ source }) => !isTest(source.path))), test: uses(modules) };
  return modules.flatMap(({ source, exports }) => {
    const { path, tokens } = source;
    // A closed set is an object and a type of one name; what is said of the type goes for both.
    const speaking = new Set(
      exports.filter(({ speaksForItself }) => speaksForItself).map(({ name }) => name),
    );
    return exports
      .filter(({ name, doc }) => {
        const by = !path.startsWith("src/") || FOR_TESTS.test(doc) ? used.test : used.product;
        if (by.has(`${path} ${name}`) || by.has(`${path} *`)) return false;
        return !(speaking.has(name) && tokens.filter(({ text }) => text === name).length > 1);
      })
      .map(({ name, line }) => ({ path, name, line }));
  });
}

function uses(modules: readonly Module[]): Set<string> {
  return new Set(
    modules.flatMap(({ imports }) =>
      imports.flatMap(({ target, names }) =>
        target === null ? [] : (names ?? ["*"]).map((name) => `${target} ${name}`),
      ),
    ),
  );
}

function reachable(from: readonly Module[], byPath: ReadonlyMap<string, Module>): Set<string> {
  const reached = new Set<string>();
  const open = [...from];
  for (let module = open.pop(); module !== undefined; module = open.pop()) {
    if (reached.has(module.source.path)) continue;
    reached.add(module.source.path);
    for (const { target } of module.imports) {
      const next = byPath.get(target ?? "");
      if (next !== undefined) open.push(next);
    }
  }
  return reached;
}
