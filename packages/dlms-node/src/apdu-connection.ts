import type { Exchange, Line } from "@meterkeep/dlms";

/** A connection to one logical device of a meter, whatever it travels over: what a `Session` needs of its line. */
export interface ApduConnection extends AsyncDisposable {
  /**
   * Sends a request and gives its response. One at a time.
   *
   * @throws TransportError `response-timeout`, `connection-closed`, `exchange-aborted`, or `exchange-busy` when another
   * is still waiting; LineError what the link below came to.
   */
  readonly exchange: Exchange;
  /** The same connection one way at a time; silence is told as `undefined`, and the connection stays open. */
  readonly line: Line;
}

/** What all connections to meters have in common. */
export interface ConnectionSettings {
  /** Milliseconds to wait for each answer; 30 000 unless given. */
  readonly responseTimeoutMilliseconds?: number;
  /** Milliseconds to wait for the first one, where a meter takes longer over its association; as the others unless given. */
  readonly firstResponseTimeoutMilliseconds?: number;
  /** Called with APDUs that nobody asked for, a data-notification on the same connection for instance. */
  readonly onUnsolicited?: (apdu: Uint8Array) => void;
}
