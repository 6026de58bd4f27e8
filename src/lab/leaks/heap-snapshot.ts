import { createReadStream } from "node:fs";

/** A heap as V8 wrote it (`.heapsnapshot`), in flat arrays: a node is an ordinal, its edges lie between two starts. */
export interface HeapSnapshot {
  readonly nodeCount: number;
  readonly nodeTypes: readonly string[];
  readonly edgeTypes: readonly string[];
  readonly strings: readonly string[];
  /** Of each node: index into `nodeTypes`, index into `strings`, identity over snapshots of a process, bytes. */
  readonly type: Uint8Array;
  readonly name: Uint32Array;
  readonly id: Uint32Array;
  readonly selfSize: Uint32Array;
  /** Where its edges begin; one more than there are nodes. */
  readonly edgeStart: Uint32Array;
  /** Of each edge: index into `edgeTypes`, name (a string's index) or element's number, ordinal of the node. */
  readonly edgeType: Uint8Array;
  readonly edgeName: Uint32Array;
  readonly edgeTo: Uint32Array;
}

interface Meta {
  readonly node_fields: readonly string[];
  readonly node_types: readonly [readonly string[], ...unknown[]];
  readonly edge_fields: readonly string[];
  readonly edge_types: readonly [readonly string[], ...unknown[]];
}

const HEAD_MAX = 1 << 20;
const READ_BYTES = 1 << 20;

/**
 * Reads a snapshot as it streams by: never the whole text at once, which may be longer than a string can be.
 *
 * @throws SyntaxError when the file is not a heap snapshot
 */
export async function readHeapSnapshot(file: string): Promise<HeapSnapshot> {
  const reader = new Reader();
  for await (const chunk of createReadStream(file, { highWaterMark: READ_BYTES }))
    reader.push(chunk as Buffer);
  return reader.end();
}

/** What is read now: text up to a list, the numbers of one, or the strings at the end. */
type Section = "head" | "nodes" | "to_edges" | "edges" | "to_strings" | "strings";

class Reader {
  #section: Section = "head";
  #text = "";
  #strings: Buffer[] = [];
  #number = 0;
  #hasDigit = false;
  #numbers: Uint32Array = new Uint32Array(0);
  #filled = 0;
  #meta: Meta | null = null;
  #nodeCount = 0;
  #edgeCount = 0;
  #nodes: Uint32Array = new Uint32Array(0);
  #edges: Uint32Array = new Uint32Array(0);

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      switch (this.#section) {
        case "nodes":
        case "edges":
          at = this.#readNumbers(chunk, at);
          break;
        case "strings":
          this.#strings.push(chunk.subarray(at));
          return;
        default:
          at = this.#readUpToList(chunk, at);
      }
    }
  }

  end(): HeapSnapshot {
    if (this.#section !== "strings" || this.#meta === null)
      throw new SyntaxError("not a whole heap snapshot");
    const text = Buffer.concat(this.#strings).toString("utf8");
    const strings = JSON.parse(`[${text.slice(0, text.lastIndexOf("]") + 1)}`) as string[];
    return assemble(this.#meta, this.#nodes, this.#edges, this.#nodeCount, this.#edgeCount, strings);
  }

  /** Takes in text until the list of the next section begins. */
  #readUpToList(chunk: Buffer, at: number): number {
    const list = this.#section === "head" ? "nodes" : this.#section === "to_edges" ? "edges" : "strings";
    const opening = `"${list}":[`;
    const before = this.#text.length;
    const until = Math.min(chunk.length, at + HEAD_MAX);
    this.#text += chunk.toString("latin1", at, until);
    const found = this.#text.indexOf(opening);
    if (found < 0) {
      if (this.#section !== "head") {
        // Other lists lie between, as long as these: only a beginning that was cut is kept.
        this.#text = this.#text.slice(-opening.length);
      } else if (this.#text.length > HEAD_MAX) throw new SyntaxError("no nodes in the heap snapshot");
      return until;
    }
    if (this.#section === "head") this.#readHead(this.#text.slice(0, found));
    this.#section = list;
    if (list === "edges") this.#numbers = this.#edges;
    this.#filled = 0;
    this.#text = "";
    return at + found + opening.length - before;
  }

  #readHead(text: string): void {
    const { snapshot } = JSON.parse(`${text.trimEnd().replace(/,$/, "")}}`) as {
      snapshot: { meta: Meta; node_count: number; edge_count: number };
    };
    this.#meta = snapshot.meta;
    this.#nodeCount = snapshot.node_count;
    this.#edgeCount = snapshot.edge_count;
    this.#nodes = new Uint32Array(snapshot.node_count * snapshot.meta.node_fields.length);
    this.#edges = new Uint32Array(snapshot.edge_count * snapshot.meta.edge_fields.length);
    this.#numbers = this.#nodes;
  }

  #readNumbers(chunk: Buffer, from: number): number {
    let number = this.#number;
    let hasDigit = this.#hasDigit;
    let filled = this.#filled;
    const numbers = this.#numbers;
    let at = from;
    for (; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (byte >= 0x30 && byte <= 0x39) {
        number = number * 10 + byte - 0x30;
        hasDigit = true;
        continue;
      }
      if (hasDigit) numbers[filled++] = number;
      number = 0;
      hasDigit = false;
      if (byte === 0x5d) {
        this.#section = this.#section === "nodes" ? "to_edges" : "to_strings";
        at++;
        break;
      }
    }
    this.#number = number;
    this.#hasDigit = hasDigit;
    this.#filled = filled;
    return at;
  }
}

function assemble(
  meta: Meta,
  nodes: Uint32Array,
  edges: Uint32Array,
  nodeCount: number,
  edgeCount: number,
  strings: readonly string[],
): HeapSnapshot {
  const nodeFields = meta.node_fields.length;
  const edgeFields = meta.edge_fields.length;
  const nodeField = (name: string) => column(nodes, nodeFields, meta.node_fields.indexOf(name), nodeCount);
  const edgeField = (name: string) => column(edges, edgeFields, meta.edge_fields.indexOf(name), edgeCount);
  const edgeStart = new Uint32Array(nodeCount + 1);
  nodeField("edge_count").forEach((count, node) => {
    edgeStart[node + 1] = (edgeStart[node] as number) + count;
  });
  return {
    nodeCount,
    nodeTypes: meta.node_types[0],
    edgeTypes: meta.edge_types[0],
    strings,
    type: Uint8Array.from(nodeField("type")),
    name: nodeField("name"),
    id: nodeField("id"),
    selfSize: nodeField("self_size"),
    edgeStart,
    edgeType: Uint8Array.from(edgeField("type")),
    edgeName: edgeField("name_or_index"),
    // The file says where the node's fields begin.
    edgeTo: edgeField("to_node").map((index) => index / nodeFields),
  };
}

function column(numbers: Uint32Array, fields: number, field: number, count: number): Uint32Array {
  if (field < 0) throw new SyntaxError("a field is missing from the heap snapshot");
  const values = new Uint32Array(count);
  for (let at = 0; at < count; at++) values[at] = numbers[at * fields + field] as number;
  return values;
}
