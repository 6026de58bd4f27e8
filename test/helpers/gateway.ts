import { Gateway } from "#app/gateway.ts";
import { silentLogger } from "#base/logger.ts";
import { parseConfig } from "#config/load.ts";

export const PASSWORD = "correct horse";

/**
 * A whole gateway on a free loopback port, with the user `ann` of role `trader`.
 *
 * @param listen more of `listen`, as YAML
 */
export async function openGateway(
  yaml = "",
  environment: Record<string, string> = {},
  listen = "allowPlaintext: false",
): Promise<Gateway> {
  const { config } = parseConfig(gatewayYaml(yaml, listen), null, environment);
  const gateway = await Gateway.open(config, { log: silentLogger });
  await gateway.addUser("ann", PASSWORD, "trader");
  return gateway;
}

/** The configuration of `openGateway`. */
export function gatewayYaml(yaml = "", listen = "allowPlaintext: false"): string {
  return `listen: { host: 127.0.0.1, port: 0, ${listen} }\n${BASE}\n${yaml}`;
}

/** An access token of `ann`, by the front door. */
export async function signIn(gateway: Gateway, name = "ann", password = PASSWORD): Promise<string> {
  const response = await fetch(`${gateway.url}/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ login: name, password }),
  });
  const answer = (await response.json()) as { access_token?: string };
  if (answer.access_token === undefined) throw new Error(`sign-in failed: ${JSON.stringify(answer)}`);
  return answer.access_token;
}

/** The configuration of a feed at a URL, for `openGateway`. */
export function feedYaml(url: string, more = "state: none", linger = "50ms"): string {
  return `
feeds:
  quotes:
    url: ${url}
    topic: /quotes/{key}
    key: /symbol
    ${more}
    pool: { linger: ${linger}, gather: 10ms }
    retry: { min: 20ms, max: 200ms, resetAfter: 1s }
`;
}

const BASE = `
database: "sqlite::memory:"
auth:
  anonymous: { subscribe: [/public/*] }
  roles:
    trader: { subscribe: [/quotes/*, /chat/*], publish: [/chat/*] }
    admin: { subscribe: ["*"], publish: ["*"], admin: true }
`;
