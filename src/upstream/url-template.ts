/** How many keys one request of a feed asks for: many (`{keys}`), one (`{key}`), or the feed has none in its URL. */
export type KeysPerRequest = "many" | "one" | "none";

export function keysPerRequest(url: string): KeysPerRequest {
  return url.includes("{keys}") ? "many" : url.includes("{key}") ? "one" : "none";
}

/** Keys in their order, comma-separated, each percent-encoded: a comma in a key is `%2C`, not a second key. */
export function expandUrl(url: string, keys: readonly string[]): string {
  const encoded = keys.map(encodeURIComponent);
  return url.replaceAll("{keys}", () => encoded.join(",")).replaceAll("{key}", () => encoded[0] ?? "");
}
