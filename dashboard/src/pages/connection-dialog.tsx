import { usePolled } from "../api.ts";
import { bytes, count, dateTime, duration, words } from "../format.ts";
import { Dialog } from "../parts/dialog.tsx";
import { Waiting } from "../parts/notice.tsx";
import type { ConnectionDetail } from "../types.ts";

interface ConnectionDialogProps {
  readonly id: string;
  readonly close: () => void;
  /** Ends the connection. */
  readonly end: (id: string, reconnect: boolean) => void;
}

/** One connection, what it subscribes to, and the ways to end it. */
export function ConnectionDialog({ id, close, end }: ConnectionDialogProps) {
  const { data, fault } = usePolled<ConnectionDetail>(`/connections/${encodeURIComponent(id)}`, 2000);
  const finish = (reconnect: boolean) => {
    close();
    end(id, reconnect);
  };
  return (
    <Dialog title="Connection" close={close}>
      {data === null ? (
        <Waiting fault={fault} />
      ) : (
        <>
          <Facts data={data} />
          <h3>Subscribers ({count(data.subscribers.length)})</h3>
          <ul class="selectors">
            {data.subscribers.slice(0, 200).map(({ selector, type }) => (
              <li key={`${type} ${selector}`}>
                <code>{selector}</code> <span class="muted">{type}</span>
              </li>
            ))}
          </ul>
          {data.connection.state === "open" && (
            <div class="dialog-actions">
              <button type="button" class="primary" onClick={() => finish(true)}>
                Close, may come back
              </button>
              <button type="button" class="danger" onClick={() => finish(false)}>
                Close for good
              </button>
            </div>
          )}
        </>
      )}
    </Dialog>
  );
}

function Facts({ data }: { data: ConnectionDetail }) {
  const { connection } = data;
  const { user, role, kind, transport, address, openedAtMs, closedAtMs, ageMs, queuedBytes, reason } =
    connection;
  const facts: [string, string][] = [
    ["Identity", user === "" ? "anonymous" : `${user}${role === null ? "" : `, role ${role}`} (${kind})`],
    ["Transport", transport === "sse" ? "SSE" : "WebSocket"],
    ["Address", address],
    ["Opened", dateTime(openedAtMs)],
    ["Age", duration(ageMs)],
    ["Queue", bytes(queuedBytes)],
    ["Id", connection.id],
  ];
  if (closedAtMs !== null) facts.push(["Ended", `${dateTime(closedAtMs)}: ${words(reason ?? "unknown")}`]);
  return (
    <dl class="facts wide">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
