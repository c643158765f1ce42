import type { Exchange } from "@meterkeep/dlms";
import type { Route } from "../route/route.ts";

/** A connection to one client-server pair of a meter: one request at a time. */
export interface MeterLine extends AsyncDisposable {
  /** Sends an APDU and gives the answer. @throws with code `response-timeout`, `connection-closed` or `exchange-aborted`. */
  readonly exchange: Exchange;
  /** To be told when an answer over it was authenticated as the meter's, where that decides whose the line is. */
  readonly proven?: () => void;
}

/** Service access points of a connection. */
export interface Saps {
  readonly clientSap: number;
  readonly serverSap: number;
}

/** Follows a route. @throws with code `connect-timeout` or `connection-failed` when the meter heard nothing. */
export type Dial = (route: Route, saps: Saps, signal: AbortSignal) => Promise<MeterLine>;

/** How long a session may take; how long each part of it may, the network decides (route/networks.ts). */
export interface SessionLimits {
  /** The whole of it, from connecting to release. */
  readonly totalSeconds: number;
}

export const SESSION_LIMITS: SessionLimits = { totalSeconds: 300 };
