import type { LineError } from "../link/line-error.ts";
import type { HdlcServerAddress } from "./address.ts";
import type { HdlcParameters } from "./parameters.ts";
import type { SegmentLimits } from "./segments.ts";

/** How one meter's HDLC differs from the standard. */
export interface HdlcQuirks {
  /** Its responses carry the LLC header of a command (jDLMS servers). */
  readonly answersWithCommandLlc?: boolean;
  /** Some of its responses carry none (exceptions of Gurux Java servers). */
  readonly omitsLlc?: boolean;
  /** It never counts our frames in N(R): an answer with the next N(S) acknowledges all (jDLMS servers). */
  readonly neverAcknowledges?: boolean;
  /** It takes shorter frames than it promises (Gurux reserves the LLC header twice). */
  readonly segments?: SegmentLimits;
}

export interface HdlcClientOptions {
  /** 0x10 is the public client. */
  readonly clientAddress: number;
  readonly server: HdlcServerAddress;
  /** What to propose; the defaults of the standard (128 octets, window 1) unless given. */
  readonly parameters?: Partial<HdlcParameters>;
  /** Milliseconds until a frame that gets no answer is sent again; 5 000 unless given. */
  readonly frameTimeoutMilliseconds?: number;
  /** How often; 3 unless given. */
  readonly retries?: number;
  /** Milliseconds within which an octet of a frame follows the last; 1 000 unless given: TCP may cut frames. */
  readonly interOctetTimeoutMilliseconds?: number;
  /** Milliseconds to wait before a meter that has nothing to say yet is polled again; 200 unless given. */
  readonly pollIntervalMilliseconds?: number;
  /** Milliseconds of idleness after which the connection is kept alive by a poll; never unless given. */
  readonly keepAliveMilliseconds?: number;
  /** Octets of the longest APDU taken; 65 535 unless given. */
  readonly maxApduBytes?: number;
  readonly quirks?: HdlcQuirks;
}

export type HdlcClientEvent =
  | { readonly kind: "connect" }
  /** Sends a request, and polls until its response is there, unless none is expected. */
  | { readonly kind: "send"; readonly apdu: Uint8Array; readonly expectsAnswer?: boolean }
  /** Expects a further APDU without a request: the next block of a stream. */
  | { readonly kind: "expect" }
  /** Expects no answer any more: the caller has waited long enough. What still comes of it is handed out. */
  | { readonly kind: "abandon" }
  /** Sends an APDU outside the connection (UI frame), to this server or to all on the line. Nothing answers. */
  | { readonly kind: "datagram"; readonly apdu: Uint8Array; readonly broadcast?: boolean }
  | { readonly kind: "octets"; readonly octets: Uint8Array }
  /** `deadline` has passed. */
  | { readonly kind: "time" }
  | { readonly kind: "disconnect" };

export type HdlcClientAction =
  | { readonly kind: "transmit"; readonly octets: Uint8Array }
  | { readonly kind: "connected"; readonly parameters: HdlcParameters }
  /** An answer. */
  | { readonly kind: "apdu"; readonly apdu: Uint8Array }
  /** What the meter sent unasked (UI frame). */
  | { readonly kind: "notification"; readonly apdu: Uint8Array }
  | { readonly kind: "disconnected" }
  /** The connection is gone; only `connect` helps. */
  | { readonly kind: "failed"; readonly error: LineError };
