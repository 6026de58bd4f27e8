import { useEffect, useRef, useState } from "preact/hooks";
import { usePolled } from "../api.ts";
import { type Follow, type Told, type Transport, useFollow } from "../consume/follow.ts";
import { clockTime, count, plural } from "../format.ts";
import type { Topics } from "../types.ts";

/** Follow a topic as a client would, cut the connection, watch it resume. */
export function TryIt() {
  const { data: known } = usePolled<Topics>("/topics?limit=200", 5000);
  const [topic, setTopic] = useState("");
  const [transport, setTransport] = useState<Transport>("sse");
  const follow = useFollow();
  const suggested = known?.topics.find(({ feed }) => feed !== null)?.name;
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    follow.start(topic === "" ? (suggested ?? "/quotes/AAPL") : topic, transport);
  };
  return (
    <>
      <form class="filters" onSubmit={submit} aria-label="What to follow">
        <label>
          Topic{" "}
          <input
            list="topics"
            value={topic}
            maxLength={1024}
            placeholder={suggested ?? "/quotes/AAPL"}
            onInput={(event) => setTopic(event.currentTarget.value)}
          />
          <datalist id="topics">
            {known?.topics
              .filter(({ name }) => !name.startsWith("/."))
              .map(({ name }) => (
                <option key={name} value={name} />
              ))}
          </datalist>
        </label>
        <fieldset class="switch">
          <legend class="hidden">Transport</legend>
          {(["sse", "websocket"] as const).map((each) => (
            <label key={each}>
              <input
                type="radio"
                name="transport"
                checked={transport === each}
                onChange={() => setTransport(each)}
              />
              <span>{each === "sse" ? "SSE" : "WebSocket"}</span>
            </label>
          ))}
        </fieldset>
        <button type="submit" class="primary">
          {follow.standing === "idle" ? "Follow" : "Follow anew"}
        </button>
      </form>
      {follow.standing === "idle" ? (
        <p class="muted">
          Pick a topic and a transport. Then cut the connection: what is published meanwhile comes when it
          resumes, each event once and in order, or the gateway says that it can't.
        </p>
      ) : (
        <Following follow={follow} />
      )}
    </>
  );
}

const STANDINGS = {
  idle: "at rest",
  connecting: "connecting",
  open: "following",
  cut: "cut, coming back",
  ended: "ended",
} as const;

function Following({ follow }: { follow: Follow }) {
  const { standing, topic, cursor, received, resumes, told, why } = follow;
  return (
    <section class="card" aria-label="Following">
      <div class="follow-head">
        <span class={`state state-${standing}`} role="status">
          {STANDINGS[standing]}
        </span>
        <code>{topic}</code>
        <span class="follow-actions">
          <button type="button" class="danger" disabled={standing !== "open"} onClick={follow.cut}>
            Cut the connection
          </button>
          <button type="button" onClick={follow.stop}>
            Stop
          </button>
        </span>
      </div>
      {why !== null && <p class="fault">{why}</p>}
      <dl class="facts">
        <div>
          <dt>Cursor</dt>
          <dd>
            <code class="cursor">{cursor === "" ? "none yet" : cursor}</code>
          </dd>
        </div>
        <div>
          <dt>Events</dt>
          <dd>{count(received)}</dd>
        </div>
        <div>
          <dt>Resumed</dt>
          <dd>{resumes === 0 ? "never" : plural(resumes, "time")}</dd>
        </div>
      </dl>
      <Log told={told} />
    </section>
  );
}

/** The last events, the newest at the end; it follows the end until one scrolls up. */
function Log({ told }: { told: readonly Told[] }) {
  const box = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  useEffect(() => {
    const element = box.current;
    if (element !== null && follows.current) element.scrollTop = element.scrollHeight;
  }, [told]);
  return (
    <div
      ref={box}
      class="log"
      tabIndex={0}
      role="region"
      aria-label="Events"
      onScroll={(event) => {
        const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
        follows.current = scrollHeight - scrollTop - clientHeight < 40;
      }}
    >
      <ol>
        {told.map((item) => (
          <li key={item.number} class={`told-${item.kind}`}>
            <time>{clockTime(item.atMs)}</time>{" "}
            {item.kind === "event" ? (
              <>
                <code class="cursor">{item.cursor}</code> {item.replayed && <span class="tag">replayed</span>}{" "}
                <code class="data">{item.text}</code>
              </>
            ) : (
              <b>{item.text}</b>
            )}
          </li>
        ))}
      </ol>
    </div>
  );
}
