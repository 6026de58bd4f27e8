import { useState } from "preact/hooks";
import { ask, usePolled } from "../api.ts";
import { count, dateTime } from "../format.ts";
import { Confirm, Dialog } from "../parts/dialog.tsx";
import { Notice, useAction, Waiting } from "../parts/notice.tsx";
import type { Sessions, Users as UsersData } from "../types.ts";

type User = UsersData["users"][number];

export function Users() {
  const [after, setAfter] = useState<readonly string[]>([]);
  const last = after.at(-1);
  const query = new URLSearchParams({ limit: "100", ...(last === undefined ? {} : { after: last }) });
  const { data, fault, again } = usePolled<UsersData>(`/users?${query}`, 3000);
  const [sessionsOf, setSessionsOf] = useState<string | null>(null);
  const [disabling, setDisabling] = useState<User | null>(null);
  const { notice, act } = useAction();
  if (data === null) return <Waiting fault={fault} />;
  const change = (user: User, action: "disable" | "enable") =>
    act(`${user.name} is ${action}d.`, async () => {
      await ask("POST", `/users/${encodeURIComponent(user.name)}/${action}`);
      again();
    });
  return (
    <>
      {fault !== null && <Waiting fault={fault} />}
      <Notice notice={notice} />
      <div class="scroll-x" tabIndex={0} role="region" aria-label="Users, scrollable">
        <table class="list">
          <caption class="hidden">Users of the database</caption>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Role</th>
              <th scope="col">Connections</th>
              <th scope="col">Added</th>
              <th scope="col">State</th>
              <th scope="col">
                <span class="hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {data.users.map((user) => (
              <tr key={user.name}>
                <th scope="row">{user.name}</th>
                <td>{user.role}</td>
                <td>
                  <a href={`#/connections?search=${encodeURIComponent(user.name)}`}>
                    {count(user.connections)}
                  </a>
                </td>
                <td>{dateTime(user.createdAtMs)}</td>
                <td>{user.disabled ? "disabled" : "enabled"}</td>
                <td class="actions">
                  <button
                    type="button"
                    aria-label={`Sessions of ${user.name}`}
                    onClick={() => setSessionsOf(user.name)}
                  >
                    Sessions
                  </button>
                  {user.disabled ? (
                    <button
                      type="button"
                      aria-label={`Enable ${user.name}`}
                      onClick={() => change(user, "enable")}
                    >
                      Enable
                    </button>
                  ) : (
                    <button
                      type="button"
                      aria-label={`Disable ${user.name}`}
                      onClick={() => setDisabling(user)}
                    >
                      Disable
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div class="pager">
        <button type="button" disabled={after.length === 0} onClick={() => setAfter(after.slice(0, -1))}>
          Back
        </button>
        <button
          type="button"
          disabled={data.next === null}
          onClick={() => setAfter([...after, data.next ?? ""])}
        >
          Further
        </button>
      </div>
      {disabling !== null && (
        <Confirm
          title={`Disable ${disabling.name}?`}
          close={() => setDisabling(null)}
          actions={[{ label: "Disable", run: () => change(disabling, "disable"), danger: true }]}
        >
          <p>
            {disabling.name} can sign in no more; all sessions end, and {count(disabling.connections)}{" "}
            connections are closed.
          </p>
        </Confirm>
      )}
      {sessionsOf !== null && <SessionsDialog user={sessionsOf} close={() => setSessionsOf(null)} />}
    </>
  );
}

function SessionsDialog({ user, close }: { user: string; close: () => void }) {
  const path = `/users/${encodeURIComponent(user)}/sessions`;
  const { data, fault, again } = usePolled<Sessions>(path, 2000);
  const { notice, act } = useAction();
  const live = data?.sessions.filter((session) => session.revokedAtMs === null) ?? [];
  return (
    <Dialog title={`Sessions of ${user}`} close={close}>
      <Notice notice={notice} />
      {data === null ? (
        <Waiting fault={fault} />
      ) : (
        <>
          {live.length === 0 && <p>None.</p>}
          <ul class="sessions">
            {live.map((session) => (
              <li key={session.id}>
                <span>
                  Signed in {dateTime(session.createdAtMs)}, refreshed {dateTime(session.refreshedAtMs)},{" "}
                  {count(session.connections)} connections
                </span>
                <button
                  type="button"
                  aria-label={`End the session of ${dateTime(session.createdAtMs)}`}
                  onClick={() =>
                    act("The session is ended.", async () => {
                      await ask("DELETE", `/sessions/${encodeURIComponent(session.id)}`);
                      again();
                    })
                  }
                >
                  End
                </button>
              </li>
            ))}
          </ul>
          <div class="dialog-actions">
            <button
              type="button"
              class="danger"
              disabled={live.length === 0}
              onClick={() =>
                act("All sessions are ended.", async () => {
                  await ask("DELETE", path);
                  again();
                })
              }
            >
              End all
            </button>
          </div>
        </>
      )}
    </Dialog>
  );
}
