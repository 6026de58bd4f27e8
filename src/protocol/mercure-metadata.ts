import { MERCURE_COOKIE, MERCURE_PATH } from "./mercure.ts";

/** Where the metadata of the hub is (RFC 9728, section 3.1). */
export const METADATA_PATH = `/.well-known/oauth-protected-resource${MERCURE_PATH}`;

export interface ResourceFacts {
  /** The audience of tokens: the resource identifier where it is a URL, as the draft recommends. */
  readonly audience: string;
  /** Names of trusted issuers. */
  readonly issuers: readonly string[];
}

/**
 * What a client has to know to get a token for the hub (RFC 9728; Mercure, "Protected Resource Metadata").
 *
 * @param origin by which the hub was asked, such as `https://hub.example.com`
 */
export function resourceMetadata({ audience, issuers }: ResourceFacts, origin: string): object {
  const servers = issuers.filter((issuer) => /^https:\/\//.test(issuer));
  return {
    resource: /^https?:\/\//.test(audience) ? audience : `${origin}${MERCURE_PATH}`,
    ...(servers.length === 0 ? {} : { authorization_servers: servers }),
    authorization_details_types_supported: ["https://mercure.rocks/authorization-detail"],
    bearer_methods_supported: ["header"],
    mercure_cookie: MERCURE_COOKIE,
    mercure_matcher_types_supported: ["exact", "urlpattern"],
    mercure_subscriptions: true,
  };
}
