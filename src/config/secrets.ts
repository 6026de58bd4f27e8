import type { Path } from "./fault.ts";

/**
 * A text of the configuration with what is secret in it, by its place or its look, hidden: values of headers that carry
 * credentials, passwords and keys in URLs. What only names environment variables is no secret; of what does both, the
 * names stay.
 */
export function hideSecrets(text: string, path: Path): string {
  if (path.at(-2) === "headers") {
    const isSecret = SECRET_NAME.test(String(path.at(-1))) || /^(basic|bearer|digest)\s/i.test(text);
    return isSecret ? hidden(text) : text;
  }
  return text
    .replace(
      /^([a-z]+:\/\/[^/?#:@]*:)([^/?#]*)@/i,
      (_, head: string, secret: string) => `${head}${hidden(secret)}@`,
    )
    .replace(/([?&]([^=&#]+)=)([^&#]*)/g, (whole, head: string, name: string, secret: string) => {
      return SECRET_NAME.test(name) ? `${head}${hidden(secret)}` : whole;
    });
}

function hidden(secret: string): string {
  if (secret === "") return HIDDEN;
  const [scheme = ""] = /^(?:basic|bearer|digest)\s+(?=\$\{)/i.exec(secret) ?? [];
  const parts = secret.slice(scheme.length).split(NAMED);
  return scheme + parts.map((part, at) => (at % 2 === 1 || part === "" ? part : HIDDEN)).join("");
}

/** A variable, or a place for keys in a feed's URL. `$${` stands for a literal `${`, so what follows is no name. */
const NAMED = /((?<!\$)(?:\$\{[A-Za-z_]\w*\}|\{keys?\}))/;

/** What stands for a secret that is written in the file itself. */
const HIDDEN = "(hidden)";

/** Names of headers and of URL parameters whose values are credentials, or are likely to be. */
const SECRET_NAME =
  /auth|token|secret|password|passwd|cookie|signature|credential|api-?_?key|^key$|-key$|_key$/i;
