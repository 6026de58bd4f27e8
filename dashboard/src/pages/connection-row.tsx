import { bytes, count, duration, words } from "../format.ts";
import type { ConnectionItem } from "../types.ts";

export interface Sort {
  readonly by: "age" | "queue" | "subscribers" | "user" | "address";
  readonly order: "ascending" | "descending";
}

export const SORTS: readonly { readonly by: Sort["by"]; readonly label: string; readonly name: string }[] = [
  { by: "user", label: "Identity", name: "user" },
  { by: "address", label: "Address", name: "address" },
  { by: "age", label: "Age", name: "age" },
  { by: "subscribers", label: "Subscribers", name: "subscribers" },
  { by: "queue", label: "Queue", name: "queue" },
];

export function TableHead({ sort, setSort }: { sort: Sort; setSort: (sort: Sort) => void }) {
  return (
    <div role="rowgroup" class="table-head">
      <div role="row" tabIndex={-1} aria-rowindex={1} class="row-head">
        {SORTS.map(({ by, label, name }) => {
          const isBy = sort.by === by;
          const next = isBy && sort.order === "descending" ? "ascending" : "descending";
          return (
            <div role="columnheader" key={by} class={`cell ${name}`} aria-sort={isBy ? sort.order : "none"}>
              <button type="button" class="plain" onClick={() => setSort({ by, order: next })}>
                {label}
                <span aria-hidden="true">{isBy ? (sort.order === "descending" ? " ▾" : " ▴") : ""}</span>
              </button>
            </div>
          );
        })}
        <div role="columnheader" class="cell reason">
          State
        </div>
      </div>
    </div>
  );
}

const TRANSPORTS = { sse: "SSE", websocket: "WS" } as const;

export function ConnectionRow({ item, show }: { item: ConnectionItem; show: () => void }) {
  const name = item.user === "" ? "anonymous" : item.user;
  return (
    <>
      <div role="cell" class="cell user">
        <button
          type="button"
          class="link-like"
          onClick={show}
          aria-label={`Show the connection of ${name}, ${item.id}`}
        >
          <span class={`tag tag-${item.transport}`}>{TRANSPORTS[item.transport]}</span>
          <span class="name">{name}</span>
          {item.role !== null && <span class="muted role">{item.role}</span>}
        </button>
      </div>
      <div role="cell" class="cell address">
        {item.address}
      </div>
      <div role="cell" class="cell age">
        {duration(item.ageMs)}
      </div>
      <div role="cell" class="cell subscribers">
        {count(item.subscribers)}
      </div>
      <div role="cell" class="cell queue">
        {item.queuedBytes === 0 ? "–" : bytes(item.queuedBytes)}
      </div>
      <div role="cell" class="cell reason">
        {item.state === "open" ? "open" : words(item.reason ?? "ended")}
      </div>
    </>
  );
}
