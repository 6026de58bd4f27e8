import { authorised } from "../session.ts";

export interface StreamItem {
  readonly id: string;
  readonly type: string;
  readonly data: string;
}

/**
 * One response of `text/event-stream`, read to its end or until aborted (WHATWG HTML, 9.2.6). A request of our own, and
 * not `EventSource`, since that can show no token.
 *
 * @throws Error when it is refused, with the gateway's words
 */
export async function readStream(
  path: string,
  options: {
    readonly signal: AbortSignal;
    readonly lastEventId?: string;
    readonly opened?: (response: Response) => void;
    readonly item: (item: StreamItem) => void;
    /** An id came without an event: the cursor of a quiet stream. */
    readonly cursor?: (id: string) => void;
  },
): Promise<void> {
  const { signal, lastEventId = "", opened, item, cursor } = options;
  const headers: Record<string, string> = { accept: "text/event-stream" };
  if (lastEventId !== "") headers["last-event-id"] = lastEventId;
  const response = await authorised(path, { headers, signal, cache: "no-store" });
  if (!response.ok || response.body === null) throw new Error(await refusal(response));
  opened?.(response);
  let rest = "";
  let id = lastEventId;
  let type = "";
  let data: string[] = [];
  const line = (text: string) => {
    if (text === "") {
      if (data.length > 0) item({ id, type: type === "" ? "message" : type, data: data.join("\n") });
      else cursor?.(id);
      type = "";
      data = [];
      return;
    }
    const colon = text.indexOf(":");
    if (colon === 0) return;
    const name = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (name === "id") id = value;
    else if (name === "event") type = value;
    else if (name === "data") data.push(value);
  };
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split(/\r\n|\n|\r(?=[^\n])/);
    rest = lines.pop() ?? "";
    for (const each of lines) line(each);
  }
}

async function refusal(response: Response): Promise<string> {
  try {
    const { error_description: told } = (await response.json()) as { error_description?: string };
    return told ?? `status ${response.status}`;
  } catch {
    return `status ${response.status}`;
  }
}
