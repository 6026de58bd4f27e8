/** What a URI template is (RFC 6570), as far as matching goes. */
export interface CompiledTemplate {
  /** Expressions in braces. */
  readonly expressions: number;
  /** Whether the template could be expanded to the topic. Takes time linear in it, whatever the template. */
  matches(topic: string): boolean;
}

/**
 * A state of the automaton: what it takes next. It can be passed over to `passTo` without taking anything; a loop may
 * take again and again.
 */
interface State {
  readonly takes: (character: string) => boolean;
  readonly isLoop: boolean;
  readonly passTo: number | null;
}

/**
 * Compiles a URI template for matching, which the standard does not define: an expression matches whatever any values
 * of its variables could expand to, nothing included. All states are followed at once, so nothing is ever tried twice.
 *
 * @returns null for what is no URI template
 */
export function compileUriTemplate(template: string): CompiledTemplate | null {
  const states: State[] = [];
  let expressions = 0;
  for (const [part] of template.matchAll(/\{[^{}]*\}|[^{}]+|[{}]/g)) {
    if (part === "{" || part === "}") return null;
    if (!part.startsWith("{")) {
      for (const character of part) states.push(literal(character));
      continue;
    }
    const operator = EXPRESSION.exec(part)?.[1];
    if (operator === undefined) return null;
    expressions++;
    const end = states.length + (operator === "" || operator === "+" ? 1 : 2);
    if (end - states.length === 2) states.push({ ...literal(operator), passTo: end });
    const takes = operator === "+" || operator === "#" ? isReservedToo : CLASSES[operator];
    states.push({ takes: takes ?? isUnreserved, isLoop: true, passTo: end });
  }
  return { expressions, matches: (topic) => run(states, topic) };
}

/** RFC 6570, section 2.2 to 2.4: an operator of levels 1 to 4, and variables with their modifiers. */
const EXPRESSION = /^\{([+#./;?&]?)(?:[\w%.]+(?:\*|:[1-9]\d{0,3})?)(?:,[\w%.]+(?:\*|:[1-9]\d{0,3})?)*\}$/;

const isUnreserved = (character: string) => /[\w.~%,=-]|[^\0-\x7f]/.test(character);
const isReservedToo = (character: string) => /[\w.~%:/?#[\]@!$&'()*+,;=-]|[^\0-\x7f]/.test(character);
/** What stands between the values of one expression may come again. */
const CLASSES: Readonly<Record<string, (character: string) => boolean>> = Object.fromEntries(
  ["/", ";", "?", "&"].map((operator) => {
    const separator = operator === "?" ? "&" : operator;
    return [operator, (character: string) => character === separator || isUnreserved(character)];
  }),
);

function literal(character: string): State {
  return { takes: (taken) => taken === character, isLoop: false, passTo: null };
}

function run(states: readonly State[], topic: string): boolean {
  let at = reach(states, new Set([0]));
  for (const character of topic) {
    const next = new Set<number>();
    for (const index of at) {
      const state = states[index];
      if (state?.takes(character)) next.add(state.isLoop ? index : index + 1);
    }
    if (next.size === 0) return false;
    at = reach(states, next);
  }
  return at.has(states.length);
}

/** Also what can be reached without taking anything: a set grows while it is walked. */
function reach(states: readonly State[], at: Set<number>): Set<number> {
  for (const index of at) {
    const passTo = states[index]?.passTo ?? null;
    if (passTo !== null) at.add(passTo);
  }
  return at;
}
