/**
 * How long a `Retry-After` field asks to wait (RFC 9110, 10.2.3): whole seconds, or a date. Milliseconds, not below 0;
 * null when there is none, or none that can be read.
 *
 * @param nowMs wall-clock time in milliseconds since the Unix epoch
 */
export function retryAfterMs(field: string | undefined, nowMs: number): number | null {
  const text = field?.trim();
  if (text === undefined || text === "") return null;
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1000;
  // An HTTP date names its day; Date.parse alone would also take `1` and `12-1` for dates.
  if (!/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return null;
  const dateMs = Date.parse(/GMT$|UTC$|[+-]\d{4}$/.test(text) ? text : `${text} GMT`);
  return Number.isNaN(dateMs) ? null : Math.max(0, dateMs - nowMs);
}
