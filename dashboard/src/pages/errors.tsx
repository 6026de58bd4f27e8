import { useEffect, useState } from "preact/hooks";
import { usePolled } from "../api.ts";
import { ago, clockTime, count, dateTime, words } from "../format.ts";
import { Waiting } from "../parts/notice.tsx";
import type { Errors as ErrorsData } from "../types.ts";

export function Errors() {
  const [search, setSearch] = useState("");
  const [asked, setAsked] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setAsked(search), 200);
    return () => clearTimeout(timer);
  }, [search]);
  const { data, fault } = usePolled<ErrorsData>(`/errors?${new URLSearchParams({ search: asked })}`, 2000);
  return (
    <>
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <label>
          Search{" "}
          <input
            type="search"
            value={search}
            maxLength={128}
            placeholder="room, code, peer, words"
            onInput={(event) => setSearch(event.currentTarget.value)}
          />
        </label>
      </form>
      {data === null ? <Waiting fault={fault} /> : <Found data={data} fault={fault} />}
    </>
  );
}

function Found({ data, fault }: { data: ErrorsData; fault: string | null }) {
  const nowMs = Date.now();
  return (
    <>
      {fault !== null && <Waiting fault={fault} />}
      <LastHour recent={data.recent} total={data.total} />
      {data.groups.length === 0 && <p class="muted">Nothing to tell.</p>}
      <ul class="groups">
        {data.groups.map((group) => (
          <li class="card group" key={`${group.kind} ${group.room} ${group.code} ${group.peer}`}>
            <div class="group-head">
              <h2>{words(group.code.replace(":", ": "))}</h2>
              <span class={`tag kind-${group.kind}`}>{group.kind}</span>
              <span class="muted">{group.room}</span>
              {group.peer !== "" && <code>{group.peer}</code>}
              <b class="group-count">{count(group.count)}×</b>
            </div>
            <p>{group.advice}</p>
            {group.sample !== "" && (
              <p class="sample">
                <code>{group.sample}</code>
              </p>
            )}
            <p class="muted">
              Last {ago(group.lastAtMs, nowMs)}, first {dateTime(group.firstAtMs)}
            </p>
          </li>
        ))}
      </ul>
    </>
  );
}

const WIDTH = 360;
const HEIGHT = 40;

function LastHour({ recent, total }: { recent: ErrorsData["recent"]; total: number }) {
  const most = Math.max(1, ...recent.map((minute) => minute.count));
  const inHour = recent.reduce((sum, minute) => sum + minute.count, 0);
  const width = WIDTH / recent.length;
  return (
    <figure class="spark">
      <svg
        role="img"
        aria-label={`${count(inHour)} in the last hour, at most ${count(most)} a minute`}
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        preserveAspectRatio="none"
      >
        {recent.map((minute, n) => {
          const height = minute.count === 0 ? 1 : Math.max(3, (minute.count / most) * HEIGHT);
          return (
            <rect
              key={minute.minuteAtMs}
              class={minute.count === 0 ? "spark-none" : "spark-some"}
              x={n * width + 0.5}
              y={HEIGHT - height}
              width={width - 1}
              height={height}
            >
              <title>{`${clockTime(minute.minuteAtMs)}: ${count(minute.count)}`}</title>
            </rect>
          );
        })}
      </svg>
      <figcaption>
        {count(inHour)} in the last hour, {count(total)} in all that is kept
      </figcaption>
    </figure>
  );
}
