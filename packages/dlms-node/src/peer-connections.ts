import { type ApduServer, answersOf } from "./apdu-server.ts";

/** The connections of a server's clients on one line, each under the peer that the line's machine knows it by. */
export class PeerConnections<Peer, Connection> {
  readonly #server: ApduServer<Connection>;
  readonly #connections = new Map<Peer, Connection>();

  constructor(server: ApduServer<Connection>) {
    this.#server = server;
  }

  /** A client begins to speak. */
  connect(peer: Peer, clientSap: number, serverSap: number): void {
    this.#connections.set(peer, this.#server.connect(clientSap, serverSap));
  }

  /** The client is gone. */
  disconnect(peer: Peer): void {
    const connection = this.#connections.get(peer);
    this.#connections.delete(peer);
    if (connection !== undefined) this.#server.disconnect(connection);
  }

  /** What the server answers to an APDU, in the order in which it goes out; nothing for a client that is gone. */
  answersTo(peer: Peer, apdu: Uint8Array): readonly Uint8Array[] {
    const connection = this.#connections.get(peer);
    return connection === undefined ? [] : answersOf(this.#server, connection, apdu);
  }

  /** All clients are gone, and the line with them. */
  disconnectAll(): void {
    for (const peer of [...this.#connections.keys()]) this.disconnect(peer);
  }
}
