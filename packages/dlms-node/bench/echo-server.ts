import type { AddressInfo } from "node:net";
import { createServer } from "node:net";

// Sends back what comes, over TCP on loopback: what sockets and event loops cost when nothing is done in between. Says its
// port; ends with its standard input.

const server = createServer({ noDelay: true }, (socket) => {
  socket.on("data", (chunk) => socket.write(chunk));
  socket.on("error", () => {});
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
process.stdin.on("end", () => process.exit(0)).resume();
