import { TOPIC_LENGTH_MAX } from "./topic.ts";

/**
 * URL patterns (urlpattern.spec.whatwg.org) matched in linear time. The platform's `URLPattern` parses and
 * canonicalises a pattern, but it matches with a backtracking regular expression, which a crafted pattern makes
 * exponential (`/:a+:b+x`). So its canonical text is compiled here once more, into a program that is run on all
 * its alternatives at once, and one look at each character.
 */
export type UrlPatternResult =
  | { readonly outcome: "malformed" }
  /** It holds a regular expression of its own, which is not taken. */
  | { readonly outcome: "regexp" }
  | {
      readonly outcome: "compiled";
      /** Full wildcards and named groups; a component that is one wildcard, as implied ones are, doesn't count. */
      readonly wildcards: number;
      /** Whether a part of it may be repeated. */
      readonly repeats: boolean;
      readonly matches: (topic: string) => boolean;
    };

/**
 * Stands for the hub's URL, against which relative patterns and relative topics are resolved (Mercure, "URL
 * Pattern"). One name for all, since a gateway is reached by several.
 */
export const HUB_URL = "https://hub.invalid/.well-known/mercure";

export function compileUrlPattern(pattern: string): UrlPatternResult {
  const parsed = parsePattern(pattern);
  if (parsed === null) return { outcome: "malformed" };
  if (parsed.hasRegExpGroups) return { outcome: "regexp" };
  const protocol = compileComponent(parsed.protocol, OPAQUE);
  if (protocol === null) return { outcome: "malformed" };
  const special = SPECIAL_SCHEMES.some((scheme) => protocol.test(scheme));
  const tests: [part: UrlPart, test: (text: string) => boolean][] = [["protocol", protocol.test]];
  let { wildcards, repeats } = protocol;
  for (const part of ["pathname", "hostname", "port", "search", "hash", "username", "password"] as const) {
    const text = parsed[part];
    if (text === "*") continue;
    const delimiters = part === "hostname" ? HOST : part === "pathname" && special ? PATH : OPAQUE;
    const component = compileComponent(text, delimiters);
    if (component === null) return { outcome: "malformed" };
    wildcards += component.wildcards;
    repeats ||= component.repeats;
    tests.push([part, component.test]);
  }
  const matches = (topic: string): boolean => {
    const parts = urlPartsOf(topic);
    return parts !== null && tests.every(([part, test]) => test(parts[part]));
  };
  return { outcome: "compiled", wildcards, repeats, matches };
}

/** The path that a topic has once it is resolved against the hub's URL, dot segments removed; null if it is no URL. */
export function resolvedPathOf(topic: string): string | null {
  return urlPartsOf(topic)?.pathname ?? null;
}

/** An absolute pattern is parsed by itself: Node resolves the path of one such as `mailto\:*` against the base. */
function parsePattern(pattern: string): URLPattern | null {
  for (const base of [undefined, HUB_URL]) {
    try {
      return base === undefined ? new URLPattern(pattern) : new URLPattern(pattern, base);
    } catch {
      // Relative patterns can't be parsed without the base.
    }
  }
  return null;
}

type UrlPart = "protocol" | "username" | "password" | "hostname" | "port" | "pathname" | "search" | "hash";
type UrlParts = Readonly<Record<UrlPart, string>>;

const SPECIAL_SCHEMES = ["http", "https", "ws", "wss", "ftp", "file"];

/** An event's topic is tried against many patterns in a row, so what it parses to is kept for the next one. */
let lastTopic = "";
let lastParts: UrlParts | null = null;

function urlPartsOf(topic: string): UrlParts | null {
  if (topic === lastTopic) return lastParts;
  lastTopic = topic;
  lastParts = topic.length > TOPIC_LENGTH_MAX ? null : parseUrl(topic);
  return lastParts;
}

function parseUrl(topic: string): UrlParts | null {
  const url = URL.parse(topic, HUB_URL);
  if (url === null) return null;
  return {
    protocol: url.protocol.slice(0, -1),
    username: url.username,
    password: url.password,
    hostname: url.hostname,
    port: url.port,
    pathname: url.pathname,
    search: url.search.slice(1),
    hash: url.hash.slice(1),
  };
}

/** What ends a `:name`, and what belongs to the group that it stands before (the specification's "options"). */
interface Delimiters {
  readonly delimiter: string;
  readonly prefix: string;
}

const PATH: Delimiters = { delimiter: "/", prefix: "/" };
const HOST: Delimiters = { delimiter: ".", prefix: "" };
const OPAQUE: Delimiters = { delimiter: "", prefix: "" };

interface Component {
  readonly wildcards: number;
  readonly repeats: boolean;
  readonly test: (text: string) => boolean;
}

type Modifier = "" | "?" | "*" | "+";

/** `prefix`, then a wildcard or nothing, then `suffix`; the whole repeated as the modifier says. */
interface Part {
  readonly prefix: string;
  readonly wildcard: "none" | "segment" | "full";
  readonly suffix: string;
  readonly modifier: Modifier;
}

function compileComponent(text: string, delimiters: Delimiters): Component | null {
  const parts = parseParts(text, delimiters);
  if (parts === null) return null;
  const wildcards = parts.reduce((count, part) => count + (part.wildcard === "none" ? 0 : 1), 0);
  const repeats = parts.some(({ modifier }) => modifier === "*" || modifier === "+");
  // The shapes that nearly every pattern has need no program: all fixed, or fixed up to one last `*` or `:name`.
  const fixed = parts[0] !== undefined && isFixed(parts[0]) ? parts[0].prefix : "";
  const open = fixed === "" ? parts : parts.slice(1);
  const [last] = open;
  if (last === undefined) return { wildcards, repeats, test: (value) => value === fixed };
  if (open.length === 1 && last.wildcard !== "none" && last.modifier === "" && last.suffix === "") {
    const start = fixed + last.prefix;
    const { delimiter } = delimiters;
    if (last.wildcard === "full" || delimiter === "") {
      const least = last.wildcard === "full" ? 0 : 1;
      return {
        wildcards,
        repeats,
        test: (value) => value.length >= start.length + least && value.startsWith(start),
      };
    }
    return {
      wildcards,
      repeats,
      test: (value) =>
        value.length > start.length && value.startsWith(start) && !value.includes(delimiter, start.length),
    };
  }
  const program = assemble(parts, delimiters.delimiter);
  return { wildcards, repeats, test: (value) => value.startsWith(fixed) && run(program, value) };
}

function isFixed(part: Part): boolean {
  return part.wildcard === "none" && part.modifier === "";
}

/** Parses a component's canonical text (the specification's "parse a pattern string", without regular expressions). */
function parseParts(text: string, { prefix: groupPrefix }: Delimiters): Part[] | null {
  const parts: Part[] = [];
  let fixed = "";
  let at = 0;

  const endFixed = (): void => {
    if (fixed !== "") parts.push({ prefix: fixed, wildcard: "none", suffix: "", modifier: "" });
    fixed = "";
  };
  const takeWildcard = (): Part["wildcard"] => {
    if (text[at] === "*") {
      at++;
      return "full";
    }
    NAME.lastIndex = at;
    const name = NAME.exec(text);
    if (name === null) return "none";
    at += name[0].length;
    return "segment";
  };
  const takeModifier = (): Modifier => {
    const next = text[at];
    if (next !== "?" && next !== "*" && next !== "+") return "";
    at++;
    return next;
  };
  const takeFixed = (): string => {
    let taken = "";
    while (at < text.length && !"{}*:?+".includes(text[at] as string)) {
      if (text[at] === "\\") at++;
      taken += text[at++] ?? "";
    }
    return taken;
  };

  while (at < text.length) {
    const character = text[at] as string;
    if (character === "{") {
      at++;
      const prefix = takeFixed();
      const wildcard = takeWildcard();
      const suffix = takeFixed();
      if (text[at++] !== "}") return null;
      const modifier = takeModifier();
      if (wildcard === "none" && modifier === "") {
        fixed += prefix + suffix;
      } else {
        endFixed();
        parts.push({ prefix, wildcard, suffix, modifier });
      }
      continue;
    }
    const prefix = character === groupPrefix && groupPrefix !== "" ? character : "";
    at += prefix.length;
    const wildcard = takeWildcard();
    if (wildcard === "none") {
      if (prefix !== "") {
        fixed += prefix;
      } else if ("}?+:".includes(character)) {
        return null;
      } else {
        if (character === "\\") at++;
        fixed += text[at++] ?? "";
      }
      continue;
    }
    endFixed();
    parts.push({ prefix, wildcard, suffix: "", modifier: takeModifier() });
  }
  endFixed();
  return parts;
}

const NAME = /:[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*/uy;

/**
 * A program of the classic kind (Thompson): each instruction eats one character, or goes on without one. `split`
 * goes on at the next instruction and at its target.
 */
type Instruction =
  | { readonly op: "eat"; readonly character: string }
  | { readonly op: "eatAny" }
  | { readonly op: "eatExcept"; readonly character: string }
  | { readonly op: "split"; target: number }
  | { readonly op: "jump"; readonly target: number };

function assemble(parts: readonly Part[], delimiter: string): readonly Instruction[] {
  const program: Instruction[] = [];
  const eatText = (text: string): void => {
    for (let at = 0; at < text.length; at++) program.push({ op: "eat", character: text[at] as string });
  };
  for (const part of parts) {
    const start = program.length;
    const skip: Instruction | null =
      part.modifier === "?" || part.modifier === "*" ? { op: "split", target: -1 } : null;
    if (skip !== null) program.push(skip);
    const body = program.length;
    eatText(part.prefix);
    if (part.wildcard === "full") {
      const loop = program.length;
      program.push({ op: "split", target: loop + 3 }, { op: "eatAny" }, { op: "jump", target: loop });
    } else if (part.wildcard === "segment") {
      const loop = program.length;
      program.push(delimiter === "" ? { op: "eatAny" } : { op: "eatExcept", character: delimiter });
      program.push({ op: "split", target: loop + 3 }, { op: "jump", target: loop });
    }
    eatText(part.suffix);
    if (part.modifier === "*") program.push({ op: "jump", target: start });
    if (part.modifier === "+") {
      const again = program.length;
      program.push({ op: "split", target: again + 2 }, { op: "jump", target: body });
    }
    if (skip !== null) skip.target = program.length;
  }
  return program;
}

/** Runs every alternative in step: each instruction is visited once a character at most. */
function run(program: readonly Instruction[], text: string): boolean {
  const end = program.length;
  const visitedAt = new Int32Array(end + 1).fill(-1);
  let current: number[] = [];
  let next: number[] = [];
  const stack: number[] = [];

  const enter = (states: number[], start: number, position: number): void => {
    stack.push(start);
    while (stack.length > 0) {
      const state = stack.pop() as number;
      if (visitedAt[state] === position) continue;
      visitedAt[state] = position;
      const instruction = program[state];
      if (instruction?.op === "jump") stack.push(instruction.target);
      else if (instruction?.op === "split") stack.push(instruction.target, state + 1);
      else states.push(state);
    }
  };

  enter(current, 0, 0);
  for (let position = 0; position < text.length; position++) {
    if (current.length === 0) return false;
    const character = text[position] as string;
    for (const state of current) {
      const instruction = program[state];
      if (instruction !== undefined && eats(instruction, character)) enter(next, state + 1, position + 1);
    }
    [current, next] = [next, current];
    next.length = 0;
  }
  return current.includes(end);
}

function eats(instruction: Instruction, character: string): boolean {
  if (instruction.op === "eatAny") return true;
  if (instruction.op === "eat") return instruction.character === character;
  return instruction.op === "eatExcept" && instruction.character !== character;
}
