import type { Path } from "./fault.ts";

/**
 * A text of the configuration with what is secret in it, by its place or its look, hidden: values of headers that carry
 * credentials, passwords and keys in URLs. What only names an environment variable is no secret.
 */
export function hideSecrets(text: string, path: Path): string {
  const hidden = (secret: string) => (/(^|[^$])\$\{/.test(secret) ? secret : HIDDEN);
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
      return SECRET_NAME.test(name) && !secret.includes("{key") ? `${head}${hidden(secret)}` : whole;
    });
}

/** What stands for a secret that is written in the file itself. */
const HIDDEN = "(hidden)";

/** Names of headers and of URL parameters whose values are credentials, or are likely to be. */
const SECRET_NAME =
  /auth|token|secret|password|passwd|cookie|signature|credential|api-?_?key|^key$|-key$|_key$/i;
