/** Environment variables by name, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

export type Substitution =
  /** The text with its variables put in; `names` is empty where it had none. */
  | { readonly kind: "text"; readonly text: string; readonly names: readonly string[] }
  /** Variables that are not set, or set to nothing. */
  | { readonly kind: "missing"; readonly names: readonly string[] }
  /** A `${` that does not begin a `${NAME}`. */
  | { readonly kind: "malformed" };

/**
 * Puts environment variables in for `${NAME}`; `$${` stands for a literal `${`. A variable that is set to nothing
 * counts as missing: an empty token fails later, and less clearly. What is put in is not looked at again.
 */
export function substitute(text: string, environment: Environment): Substitution {
  const names: string[] = [];
  const missing: string[] = [];
  let malformed = false;
  const result = text.replace(
    /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]{0,127})\}|\$\{/g,
    (match, name: string | undefined) => {
      if (match === "$${") return "${";
      if (name === undefined) {
        malformed = true;
        return match;
      }
      const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
      if (value === undefined || value === "") {
        missing.push(name);
        return "";
      }
      names.push(name);
      return value;
    },
  );
  if (malformed) return { kind: "malformed" };
  if (missing.length > 0) return { kind: "missing", names: [...new Set(missing)] };
  return { kind: "text", text: result, names };
}
