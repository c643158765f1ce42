/** What answers APDUs: `CosemServer` of `@meterkeep/dlms` is one. */
export interface ApduServer<Connection> {
  /** A client at `clientSap` speaks to the logical device at `serverSap` for the first time on this connection. */
  connect(clientSap: number, serverSap: number): Connection;
  /** The answer, or undefined where there is none. */
  handle(connection: Connection, apdu: Uint8Array): Uint8Array | undefined;
  /** What has to be sent right after that answer, in order: blocks in a row. */
  following?(connection: Connection): readonly Uint8Array[];
  /** The client is gone. */
  disconnect(connection: Connection): void;
}

/** Everything that a server says to one APDU, in order. */
export function answersOf<Connection>(
  server: ApduServer<Connection>,
  connection: Connection,
  apdu: Uint8Array,
): readonly Uint8Array[] {
  const answer = server.handle(connection, apdu);
  return answer === undefined ? [] : [answer, ...(server.following?.(connection) ?? [])];
}

/** What `transmit` of a listener can do with an answer. */
export interface TransmitLine {
  /** Sends an APDU, framed as the transport does it; no effect once the connection is closed. */
  send(apdu: Uint8Array): void;
  /** Sends octets as they are. */
  sendRaw(octets: Uint8Array): void;
  /** Resets the connection. */
  drop(): void;
}

/** Stands between a server and its line: a virtual meter delays, repeats, cuts or withholds its answers here. */
export type Transmit = (apdu: Uint8Array, line: TransmitLine) => void;
