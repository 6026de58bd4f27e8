/** A block of an event stream, as a browser would dispatch it. */
export interface StreamBlock {
  /** Null: none stood in the block. */
  readonly id: string | null;
  readonly type: string;
  /** Null: no data, so that nothing is dispatched. */
  readonly data: string | null;
  readonly comment: string;
  readonly retryMs: number | null;
}

/** Reads an HTTP response with an event stream: an independent reader, so that the gateway's own is not held against itself. */
export class EventSourceReader {
  /** Null until the head has come. */
  status: number | null = null;
  #text = "";

  /** Bytes that came; answers the blocks that are complete. */
  read(bytes: Buffer): StreamBlock[] {
    this.#text += bytes.toString("utf8");
    if (this.status === null) {
      const end = this.#text.indexOf("\r\n\r\n");
      if (end < 0) return [];
      this.status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(this.#text)?.[1]);
      this.#text = this.#text.slice(end + 4);
    }
    const blocks: StreamBlock[] = [];
    for (let end = this.#text.indexOf("\n\n"); end >= 0; end = this.#text.indexOf("\n\n")) {
      blocks.push(blockOf(this.#text.slice(0, end)));
      this.#text = this.#text.slice(end + 2);
    }
    return blocks;
  }
}

function blockOf(text: string): StreamBlock {
  let id: string | null = null;
  let type = "";
  let comment = "";
  let retryMs: number | null = null;
  const data: string[] = [];
  for (const line of text.split("\n")) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (name === "") comment = value;
    else if (name === "id") id = value;
    else if (name === "event") type = value;
    else if (name === "data") data.push(value);
    else if (name === "retry") retryMs = Number(value);
  }
  return { id, type, data: data.length === 0 ? null : data.join("\n"), comment, retryMs };
}
