/**
 * Why a gateway must not listen so, as what is expected instead; null where it may. Plain HTTP off loopback would
 * carry passwords and tokens in the clear; whoever has a proxy in front that ends TLS says so with `allowPlaintext`.
 */
export function plaintextRefusal(
  listen: { readonly host: string; readonly allowPlaintext: boolean },
  hasTls: boolean,
): string | null {
  if (hasTls || listen.allowPlaintext || isLoopbackHost(listen.host)) return null;
  return "tls, as plain HTTP is refused off loopback (or a loopback address, or listen.allowPlaintext: true)";
}

/** 127.0.0.0/8, ::1 (also as ::ffff:127.…) and `localhost` names (RFC 6761 section 6.3). `0.0.0.0` and `::` are not. */
function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase();
  if (name === "localhost" || name.endsWith(".localhost")) return true;
  if (/^(::ffff:)?127(\.\d{1,3}){3}$/.test(name)) return true;
  return /^(0{0,4}:){2,7}0{0,3}1$/.test(name);
}
