import type { Socket } from "node:net";

/**
 * Ends a TCP connection by a reset. One whose orderly end is on its way is destroyed instead: the system refuses to
 * reset it then (EINVAL), and Node would never say that it is closed.
 */
export function resetSocket(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}
