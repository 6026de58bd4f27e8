import { useEffect, useRef, useState } from "preact/hooks";
import { ask, faultText } from "../api.ts";
import { count } from "../format.ts";
import { Notice, useAction, Waiting } from "../parts/notice.tsx";
import { useRoute } from "../route.ts";
import { ConnectionDialog } from "./connection-dialog.tsx";
import { useConnectionPages } from "./connection-pages.ts";
import { ConnectionRow, SORTS, type Sort, TableHead } from "./connection-row.tsx";

const ROW_HEIGHT = 44;
/** Rows that are drawn beyond what is seen, above and below. */
const BEYOND = 8;

/** A live table of thousands: only the rows that are seen are asked for and drawn. */
export function Connections() {
  const route = useRoute();
  const [search, setSearch] = useState(route.query.get("search") ?? "");
  const [transport, setTransport] = useState("");
  const [state, setState] = useState("open");
  const [sort, setSort] = useState<Sort>({ by: "age", order: "descending" });
  const [shown, setShown] = useState<string | null>(null);
  const { notice, act } = useAction();
  const [view, setView] = useState({ first: 0, rows: 12 });
  const query = new URLSearchParams({ search, state, sort: sort.by, order: sort.order });
  if (transport !== "") query.set("transport", transport);
  const { total, open, rowAt, fault, again } = useConnectionPages(String(query), view.first, view.rows);

  const close = (id: string, reconnect: boolean) =>
    act(reconnect ? "Closed; its client may come back." : "Closed for good.", async () => {
      await ask("POST", `/connections/${encodeURIComponent(id)}/close`, { reconnect });
      again();
    });

  return (
    <>
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <label>
          Search{" "}
          <input
            type="search"
            value={search}
            maxLength={128}
            placeholder="id, address, user, role, reason"
            onInput={(event) => setSearch(event.currentTarget.value)}
          />
        </label>
        <label>
          Transport{" "}
          <select value={transport} onChange={(event) => setTransport(event.currentTarget.value)}>
            <option value="">all</option>
            <option value="sse">SSE</option>
            <option value="websocket">WebSocket</option>
          </select>
        </label>
        <label>
          Show{" "}
          <select value={state} onChange={(event) => setState(event.currentTarget.value)}>
            <option value="open">open</option>
            <option value="closed">ended lately</option>
            <option value="all">both</option>
          </select>
        </label>
        <label class="narrow-only">
          Sort by{" "}
          <select
            value={sort.by}
            onChange={(event) =>
              setSort({ by: event.currentTarget.value as Sort["by"], order: "descending" })
            }
          >
            {SORTS.map(({ by, label }) => (
              <option key={by} value={by}>
                {label}
              </option>
            ))}
          </select>
        </label>
      </form>
      <p class="muted" role="status">
        {total === null ? "Asking …" : `${count(total)} found, ${count(open)} open`}
      </p>
      <Notice notice={notice} />
      {fault !== null && <Waiting fault={faultText(fault)} />}
      <VirtualTable total={total ?? 0} sort={sort} setSort={setSort} looked={setView}>
        {(index) => {
          const item = rowAt(index);
          return item === undefined ? null : <ConnectionRow item={item} show={() => setShown(item.id)} />;
        }}
      </VirtualTable>
      {shown !== null && <ConnectionDialog id={shown} close={() => setShown(null)} end={close} />}
    </>
  );
}

interface VirtualTableProps {
  readonly total: number;
  readonly sort: Sort;
  readonly setSort: (sort: Sort) => void;
  readonly looked: (view: { first: number; rows: number }) => void;
  readonly children: (index: number) => preact.ComponentChild;
}

function VirtualTable({ total, sort, setSort, looked, children }: VirtualTableProps) {
  const box = useRef<HTMLDivElement>(null);
  const [first, setFirst] = useState(0);
  const [rows, setRows] = useState(12);
  useEffect(() => {
    const element = box.current as HTMLDivElement;
    const measure = () => {
      const top = Math.max(0, Math.floor(element.scrollTop / ROW_HEIGHT) - BEYOND);
      const high = Math.ceil(element.clientHeight / ROW_HEIGHT) + 2 * BEYOND;
      setFirst(top);
      setRows(high);
      looked({ first: top, rows: high });
    };
    measure();
    element.addEventListener("scroll", measure, { passive: true });
    const resized = new ResizeObserver(measure);
    resized.observe(element);
    return () => {
      element.removeEventListener("scroll", measure);
      resized.disconnect();
    };
  }, [looked]);
  const from = Math.min(first, Math.max(0, total - 1));
  const drawn = Array.from({ length: Math.max(0, Math.min(rows, total - from)) }, (_, n) => from + n);
  return (
    <div ref={box} class="table-box" tabIndex={0} role="region" aria-label="Connections, scrollable">
      <div role="table" aria-label="Connections" aria-rowcount={total + 1} class="table">
        <TableHead sort={sort} setSort={setSort} />
        <div role="rowgroup" class="table-body" style={{ height: `${total * ROW_HEIGHT}px` }}>
          {drawn.map((index) => (
            <div
              key={index}
              role="row"
              tabIndex={-1}
              aria-rowindex={index + 2}
              class="row"
              style={{ top: `${index * ROW_HEIGHT}px` }}
            >
              {children(index)}
            </div>
          ))}
        </div>
      </div>
      {total === 0 && <p class="muted empty">Nobody is here.</p>}
    </div>
  );
}
