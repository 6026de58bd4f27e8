import { useState } from "preact/hooks";
import { ask, usePolled } from "../api.ts";
import { ago, bytes, compact, count, duration, plural, words } from "../format.ts";
import { Band, BandLegend, BandPatterns, spansOf } from "../parts/band.tsx";
import { Confirm } from "../parts/dialog.tsx";
import { Notice, useAction, Waiting } from "../parts/notice.tsx";
import type { FeedItem, Feeds as FeedsData, LinkBand, LinkItem } from "../types.ts";

const MINUTE_MS = 60_000;

export function Feeds() {
  const { data, fault, again } = usePolled<FeedsData>("/feeds", 1000);
  const [minutes, setMinutes] = useState(10);
  const { notice, act } = useAction();
  if (data === null) return <Waiting fault={fault} />;
  return (
    <>
      {fault !== null && <Waiting fault={fault} />}
      <BandPatterns />
      <div class="section-head">
        <BandLegend />
        <label class="inline">
          Look back{" "}
          <select value={minutes} onChange={(event) => setMinutes(Number(event.currentTarget.value))}>
            <option value={2}>2 minutes</option>
            <option value={10}>10 minutes</option>
            <option value={60}>1 hour</option>
          </select>
        </label>
      </div>
      <Notice notice={notice} />
      {data.feeds.length === 0 && <p>No feed is configured. Clients can publish all the same.</p>}
      {data.feeds.map((feed) => (
        <Feed
          key={feed.name}
          feed={feed}
          nowMs={data.atMs}
          minutes={minutes}
          change={(link, action) =>
            act(
              action === "rotate"
                ? `Link ${link} is being replaced by a new one.`
                : `Link ${link} was cut; another takes its place.`,
              async () => {
                await ask("POST", `/feeds/${encodeURIComponent(feed.name)}/links/${link}/${action}`);
                again();
              },
            )
          }
        />
      ))}
    </>
  );
}

interface FeedProps {
  readonly feed: FeedItem;
  readonly nowMs: number;
  readonly minutes: number;
  readonly change: (link: number, action: "rotate" | "close") => void;
}

function Feed({ feed, nowMs, minutes, change }: FeedProps) {
  const fromMs = nowMs - minutes * MINUTE_MS;
  const gone = feed.bands
    .filter(({ link }) => !feed.links.some(({ id }) => id === link))
    .filter((band) => spansOf(band, fromMs, nowMs).length > 0);
  const open = feed.links.filter(({ state }) => state === "open").length;
  return (
    <section class="card feed" aria-labelledby={`feed-${feed.name}`}>
      <div class="feed-head">
        <h2 id={`feed-${feed.name}`}>{feed.name}</h2>
        <code>{feed.topic}</code>
        <span class="muted">{feed.hosts.join(", ")}</span>
      </div>
      <dl class="facts">
        <Fact name="Links open" value={`${open} of ${feed.links.length} (at most ${feed.linksMax})`} />
        <Fact
          name="Keys wanted"
          value={`${count(feed.keysWanted)}${feed.keysMax === null ? "" : ` of ${count(feed.keysMax)}`}`}
        />
        <Fact name="Events" value={compact(feed.events)} />
        <Fact name="Resets" value={count(feed.resets)} />
        <Fact name="Gaps" value={count(feed.gaps)} />
        <Fact name="Keys rejected" value={count(feed.keysQuarantined)} />
      </dl>
      {feed.links.length === 0 && (
        <p class="muted">Nobody follows a topic of this feed, so no link is open.</p>
      )}
      <ul class="links">
        {feed.links.map((link) => (
          <Link
            key={link.id}
            link={link}
            band={feed.bands.find((each) => each.link === link.id)}
            fromMs={fromMs}
            nowMs={nowMs}
            change={change}
          />
        ))}
      </ul>
      {gone.length > 0 && (
        <details>
          <summary>
            {gone.length} {gone.length === 1 ? "link that is" : "links that are"} gone
          </summary>
          <ul class="links">
            {gone.map((band) => (
              <li class="link" key={band.link}>
                <span class="link-name">Link {band.link}</span>
                <Band
                  label={`Link ${band.link}, gone`}
                  spans={spansOf(band, fromMs, nowMs)}
                  fromMs={fromMs}
                  nowMs={nowMs}
                />
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

interface LinkProps {
  readonly link: LinkItem;
  readonly band: LinkBand | undefined;
  readonly fromMs: number;
  readonly nowMs: number;
  readonly change: (link: number, action: "rotate" | "close") => void;
}

function Link({ link, band, fromMs, nowMs, change }: LinkProps) {
  const [isAsking, setAsking] = useState(false);
  const failure = link.lastFailure;
  return (
    <li class="link">
      <div class="link-head">
        <span class="link-name">Link {link.id}</span>
        <span class={`state state-${link.state}`}>{link.state}</span>
        <span class="muted">
          for {duration(nowMs - link.stateSinceMs)}
          {link.nextAttemptAtMs !== null && `, next attempt in ${duration(link.nextAttemptAtMs - nowMs)}`}
          {link.takingOver && ", taking over"}
        </span>
        <span class="link-actions">
          <button
            type="button"
            disabled={link.state !== "open"}
            onClick={() => change(link.id, "rotate")}
            aria-label={`Rotate link ${link.id}`}
          >
            Rotate
          </button>
          <button type="button" onClick={() => setAsking(true)} aria-label={`Cut link ${link.id}`}>
            Cut
          </button>
        </span>
      </div>
      {band !== undefined && (
        <Band label={`Link ${link.id}`} spans={spansOf(band, fromMs, nowMs)} fromMs={fromMs} nowMs={nowMs} />
      )}
      <p class="link-facts">
        {plural(link.keys, "key")} · {plural(link.events, "event")} · {bytes(link.bytes)} ·{" "}
        {plural(link.resets, "reset")} · {plural(link.reconnects, "reconnect")}
        {link.lastByteAtMs !== null && ` · last byte ${ago(link.lastByteAtMs, nowMs)}`}
      </p>
      {failure !== null && (
        <p class="link-failure">
          Last failure: <b>{words(failure.reason)}</b>, {ago(failure.atMs, nowMs)}: {failure.meaning}
          {failure.message !== "" && failure.message !== failure.meaning && (
            <>
              {" "}
              (<code>{failure.message}</code>)
            </>
          )}
        </p>
      )}
      {isAsking && (
        <Confirm
          title={`Cut link ${link.id}?`}
          close={() => setAsking(false)}
          actions={[{ label: "Cut it", run: () => change(link.id, "close"), danger: true }]}
        >
          <p>
            The connection to the feed is closed and another is opened in its place, as after a reset. Where
            the feed gives event ids nothing is lost; where it does not, subscribers may be told of a gap.
          </p>
        </Confirm>
      )}
    </li>
  );
}
