import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api.ts";
import type { ConnectionItem, Connections } from "../types.ts";

/** Rows asked for at once. */
const PAGE = 100;
const EVERY_MS = 2000;
/** After the last change of what is looked for, before it is asked for. */
const SETTLE_MS = 120;

interface Pages {
  readonly total: number | null;
  readonly open: number;
  readonly fault: unknown;
  readonly rowAt: (index: number) => ConnectionItem | undefined;
  readonly again: () => void;
}

/** The pages of the list that are seen, asked for every two seconds while the page is seen. */
export function useConnectionPages(query: string, first: number, rows: number): Pages {
  const pages = useRef(new Map<number, readonly ConnectionItem[]>());
  const [head, setHead] = useState<{ total: number | null; open: number; fault: unknown }>({
    total: null,
    open: 0,
    fault: null,
  });
  const [, redraw] = useState(0);
  const kick = useRef<() => void>(() => {});
  const from = Math.floor(first / PAGE);
  const to = Math.floor((first + rows) / PAGE);
  useEffect(() => {
    pages.current.clear();
  }, [query]);
  useEffect(() => {
    let over = false;
    let asking = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async () => {
      clearTimeout(timer);
      if (over || asking) return;
      asking = true;
      if (!document.hidden) {
        try {
          for (let page = from; page <= to; page++) {
            const answer = await ask<Connections>(
              "GET",
              `/connections?${query}&limit=${PAGE}&offset=${page * PAGE}`,
            );
            if (over) return;
            pages.current.set(page, answer.connections);
            setHead({ total: answer.total, open: answer.open, fault: null });
            if (answer.total <= (page + 1) * PAGE) break;
          }
          redraw((n) => n + 1);
        } catch (fault) {
          if (!over) setHead((held) => ({ ...held, fault }));
        }
      }
      asking = false;
      if (!over) timer = setTimeout(look, EVERY_MS);
    };
    kick.current = () => void look();
    timer = setTimeout(look, SETTLE_MS);
    return () => {
      over = true;
      clearTimeout(timer);
    };
  }, [query, from, to]);
  return {
    ...head,
    rowAt: (index) => pages.current.get(Math.floor(index / PAGE))?.[index % PAGE],
    again: () => kick.current(),
  };
}
