import type { HubMemory, RememberedState } from "#hub/hub.ts";
import { BATCH_BYTES, RecordBatch, readRecords } from "./log-record.ts";

/** What an orderly end leaves beside the events. */
export interface LogClosing {
  readonly memory: HubMemory;
  readonly states: Iterable<RememberedState>;
  /** The last event id of each key's link, by feed: where upstream is to be resumed, so that nothing is lost or doubled. */
  readonly cursors: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** Its file. */
export const CLOSING_FILE = "closing";

type Page =
  | { readonly is: "memory"; readonly memory: HubMemory }
  | { readonly is: "topics"; readonly topics: HubMemory["topics"] }
  | { readonly is: "state"; readonly state: RememberedState }
  | { readonly is: "cursors"; readonly feed: string; readonly ids: readonly (readonly [string, string])[] }
  | { readonly is: "end" };

/** In pieces, so that a million topics do not stand in memory as text. */
export function* encodeClosing({ memory, states, cursors }: LogClosing): IterableIterator<Buffer> {
  const batch = new RecordBatch();
  for (const page of pagesOf({ memory, states, cursors })) {
    batch.addPage(page);
    if (batch.length < BATCH_BYTES) continue;
    yield batch.bytes;
    batch.clear();
  }
  yield batch.bytes;
}

/** Null when it is not whole. */
export function decodeClosing(bytes: Buffer): LogClosing | null {
  let memory: HubMemory | null = null;
  let isWhole = false;
  const topics: HubMemory["topics"][number][] = [];
  const states: RememberedState[] = [];
  const cursors = new Map<string, Map<string, string>>();
  readRecords(bytes, 0, (record) => {
    if (record.kind !== "page") return;
    const page = record.page as Page;
    switch (page.is) {
      case "memory":
        memory = page.memory;
        break;
      case "topics":
        topics.push(...page.topics);
        break;
      case "state":
        states.push(page.state);
        break;
      case "cursors":
        cursors.set(page.feed, new Map([...(cursors.get(page.feed) ?? []), ...page.ids]));
        break;
      case "end":
        isWhole = true;
        break;
    }
  });
  return memory === null || !isWhole
    ? null
    : { memory: { ...(memory as HubMemory), topics }, states, cursors };
}

const ITEMS_OF_PAGE = 500;

function* pagesOf({ memory, states, cursors }: LogClosing): IterableIterator<Page> {
  yield { is: "memory", memory: { ...memory, topics: [] } };
  for (const topics of chunks(memory.topics)) yield { is: "topics", topics };
  for (const state of states) yield { is: "state", state };
  for (const [feed, ids] of cursors) {
    for (const some of chunks([...ids])) yield { is: "cursors", feed, ids: some };
  }
  yield { is: "end" };
}

function* chunks<Item>(items: readonly Item[]): IterableIterator<readonly Item[]> {
  for (let at = 0; at < items.length; at += ITEMS_OF_PAGE) yield items.slice(at, at + ITEMS_OF_PAGE);
}
