import type { Exchange } from "@meterkeep/dlms";
import type { Address } from "../inventory/meter.ts";

/** A connection to one client-server pair of a meter: one request at a time. */
export interface MeterLine extends AsyncDisposable {
  /** Sends an APDU and gives the answer. @throws with code `response-timeout`, `connection-closed` or `exchange-aborted`. */
  readonly exchange: Exchange;
}

/** Service access points of a connection. */
export interface Saps {
  readonly clientSap: number;
  readonly serverSap: number;
}

/** Connects. @throws with code `connect-timeout` or `connection-failed` when the meter heard nothing. */
export type Dial = (address: Address, saps: Saps, signal: AbortSignal) => Promise<MeterLine>;

/** How long each part of a conversation may take (reference: head-end specifics, transport). */
export interface SessionLimits {
  readonly connectSeconds: number;
  readonly responseSeconds: number;
  /** The whole of it, from connecting to release. */
  readonly totalSeconds: number;
}

export const SESSION_LIMITS: SessionLimits = { connectSeconds: 10, responseSeconds: 30, totalSeconds: 300 };
