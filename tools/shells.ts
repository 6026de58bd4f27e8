/**
 * The files that touch the world: sockets, files, processes, timers, the clock, chance. Everything else decides purely,
 * over what comes in. Each with what it touches; an entry that no longer touches anything has to go.
 */
export const SHELLS: Readonly<Record<string, string>> = {
  "src/app/admin/desk.ts": "this package's version",
  "src/app/admin/pages.ts": "the files of the dashboard",
  "src/app/descriptors.ts": "how many descriptors the process may have",
  "src/app/drain.ts": "keeps the process alive while its sockets end",
  "src/app/gateway.ts": "the composition root: chance, for everyone",
  "src/app/listener.ts": "the listening socket, HTTP and TLS",
  "src/app/listener-http2.ts": "HTTP/2 sessions on the listener's sockets",
  "src/app/listener-spares.ts": "further listening sockets on the same port",
  "src/app/memory-limit.ts": "how much memory the machine or cgroup has",
  "src/app/routes.ts": "the web framework's instance",
  "src/app/tls.ts": "the files of the certificate and its key",
  "src/base/system-clock.ts": "the clock and timers, for everyone",
  "src/config/load.ts": "the configuration file",
  "src/downstream/socket-takeover.ts": "sockets that are taken over from HTTP",
  "src/downstream/sse-takeover.ts": "sockets and HTTP/2 streams for events",
  "src/downstream/websocket-client-socket.ts": "WebSocket sockets",
  "src/downstream/websocket-endpoint.ts": "WebSocket handshakes",
  "src/ops/log.ts": "standard error",
  "src/storage/log-disk.ts": "the log's files",
  "src/storage/lock-wait.ts": "keeping the process alive while another's lock is waited for",
  "src/storage/lending-pool.ts": "connections to PostgreSQL",
  "src/storage/postgres-database.ts": "connections to PostgreSQL",
  "src/storage/sqlite-database.ts": "the database file",
  "src/upstream/attempt.ts": "sockets while they connect",
  "src/upstream/connections.ts": "sockets to feeds",
  "src/upstream/http1-carrier.ts": "HTTP/1.1 on them",
  "src/upstream/http2-session.ts": "HTTP/2 sessions on them",
  "src/upstream/http2-stream.ts": "requests on those",
  "src/upstream/tls-contexts.ts": "the TLS library's contexts",
};

/** Rooms, and folders of them, that are shells as a whole. */
export const SHELL_FOLDERS: Readonly<Record<string, string>> = {
  "src/cli/": "commands: the terminal, files, the network",
  "src/lab/": "servers, proxies and load: real ones",
};
