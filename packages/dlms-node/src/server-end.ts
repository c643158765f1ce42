import type { Server, Socket } from "node:net";

/**
 * What ends a server with every connection it has. To be made before it listens: of a TLS handshake that is not over nobody else knows, and a
 * stranger who connects and says nothing would hold the end up until its time is over.
 */
export function serverEnd(server: Pick<Server, "on" | "close">): () => Promise<void> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  return async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
}
