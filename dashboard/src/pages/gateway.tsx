import { useState } from "preact/hooks";
import { ask, usePolled } from "../api.ts";
import { dateTime } from "../format.ts";
import { Confirm } from "../parts/dialog.tsx";
import { Notice, useAction, Waiting } from "../parts/notice.tsx";
import type { Configuration } from "../types.ts";

export function Gateway() {
  const { data, fault } = usePolled<Configuration>("/configuration", 10_000);
  const [isDraining, setDraining] = useState(false);
  const { notice, act } = useAction();
  return (
    <>
      <Notice notice={notice} />
      <section class="card" aria-labelledby="configuration">
        <h2 id="configuration">Configuration in force</h2>
        {data === null ? (
          <Waiting fault={fault} />
        ) : (
          <>
            <p class="muted">
              {data.file === null ? "From no file" : `From ${data.file}`}, since {dateTime(data.loadedAtMs)}.
              Secrets are hidden. Change the file and send SIGHUP to take it over.
            </p>
            <pre class="configuration" tabIndex={0}>
              {data.yaml === "" ? "not shown by this program" : data.yaml}
            </pre>
          </>
        )}
      </section>
      <section class="card" aria-labelledby="interfaces">
        <h2 id="interfaces">Interfaces</h2>
        <ul>
          <li>
            <a href="/metrics">Metrics</a> for Prometheus (from this machine, or with an administrator's
            token)
          </li>
          <li>
            <code>/admin/api/openapi.json</code>: what this page reads and does, as OpenAPI 3.1
          </li>
        </ul>
      </section>
      <section class="card" aria-labelledby="drain">
        <h2 id="drain">Drain</h2>
        <p>
          Stops accepting, says goodbye to every client over a while so that they do not all come back at
          once, and ends the process. This page goes with it.
        </p>
        <button type="button" class="danger" onClick={() => setDraining(true)}>
          Drain this gateway …
        </button>
      </section>
      {isDraining && (
        <Confirm
          title="Drain this gateway?"
          close={() => setDraining(false)}
          actions={[
            {
              label: "Drain and stop",
              danger: true,
              run: () => act("The gateway says goodbye to its clients.", () => ask("POST", "/drain")),
            },
          ]}
        >
          <p>It ends when its clients have left. Somebody, or a supervisor, must start it again.</p>
        </Confirm>
      )}
    </>
  );
}
