/** A request for quotes that can be served, or the answer to one that cannot. */
export type QuotesRequest =
  | { readonly ok: true; readonly symbols: readonly string[]; readonly lastNumber: number | null }
  | { readonly ok: false; readonly status: 400 | 404 | 405; readonly text: string };

/** Pure: what a request line and its `Last-Event-ID` ask for. */
export function readRequest(
  method: string,
  target: string,
  lastEventId: string | undefined,
  known: readonly string[],
): QuotesRequest {
  const example = `/quotes?symbols=${known.slice(0, 2).join(",")}`;
  if (method !== "GET") return refuse(405, `this feed answers GET only: GET ${example}`);
  const url = URL.parse(target, "http://feed.invalid");
  if (url === null || url.pathname !== "/quotes")
    return refuse(404, `there is nothing here; try GET ${example}`);
  const symbols = [
    ...new Set((url.searchParams.get("symbols") ?? "").split(",").filter((symbol) => symbol !== "")),
  ];
  if (symbols.length === 0) return refuse(400, `say which symbols you want: GET ${example}`);
  const unknown = symbols.filter((symbol) => !known.includes(symbol));
  if (unknown.length > 0) {
    const shown = unknown.slice(0, 10).map((symbol) => JSON.stringify(symbol.slice(0, 20)));
    return refuse(404, `no such symbol: ${shown.join(", ")}; this feed has ${known.join(", ")}`);
  }
  return { ok: true, symbols, lastNumber: parseNumber(lastEventId) };
}

/** An id that this feed did not give counts as none. */
function parseNumber(lastEventId: string | undefined): number | null {
  if (lastEventId === undefined || !/^\d{1,15}$/.test(lastEventId)) return null;
  return Number(lastEventId);
}

function refuse(status: 400 | 404 | 405, text: string): QuotesRequest {
  return { ok: false, status, text: `${text}\n` };
}
