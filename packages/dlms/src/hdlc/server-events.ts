import type { HdlcParameters } from "./parameters.ts";
import type { SegmentLimits } from "./segments.ts";

/**
 * A client and the logical device it speaks to. The object itself stands for one connection: answer with the one that
 * came with the request.
 */
export interface HdlcPeer {
  readonly clientAddress: number;
  readonly logicalDevice: number;
}

export interface HdlcServerOptions {
  /** The logical devices that are here (upper address). */
  readonly logicalDevices: readonly number[];
  /** The own lower address; frames to another one are for somebody else. Any is taken unless given. */
  readonly physicalDevice?: number;
  /** What this station can do; the defaults of the standard (128 octets, window 1) unless given. */
  readonly parameters?: Partial<HdlcParameters>;
  /** Milliseconds of silence after which a connection is over; 120 000 unless given, the default of class 23. */
  readonly inactivityTimeoutMilliseconds?: number;
  /** Milliseconds within which an octet of a frame follows the last; 1 000 unless given: TCP may cut frames. */
  readonly interOctetTimeoutMilliseconds?: number;
  /** Octets of the longest APDU taken; 65 535 unless given. */
  readonly maxApduBytes?: number;
  /** Cuts answers shorter than agreed. */
  readonly segments?: SegmentLimits;
  /** Connections at once; 4 unless given. A further client gets DM. */
  readonly maxConnections?: number;
}

export type HdlcServerEvent =
  | { readonly kind: "octets"; readonly octets: Uint8Array }
  /** `deadline` has passed. */
  | { readonly kind: "time" }
  /**
   * What is answered to an APDU; an empty list where the service has no answer. What comes after the first answer waits
   * for the next poll; what belongs to a connection that is over is dropped.
   */
  | { readonly kind: "respond"; readonly peer: HdlcPeer; readonly apdus: readonly Uint8Array[] }
  /** Sends an APDU unasked (UI frames): at once, or with the next answer where a connection has the line. */
  | { readonly kind: "notify"; readonly peer: HdlcPeer; readonly apdu: Uint8Array }
  /** Takes no further I frames (RNR), or takes them again. */
  | { readonly kind: "busy"; readonly busy: boolean };

export type HdlcServerAction =
  | { readonly kind: "transmit"; readonly octets: Uint8Array }
  | { readonly kind: "connected"; readonly peer: HdlcPeer; readonly parameters: HdlcParameters }
  /** A request: a `respond` event must follow, now or later. */
  | { readonly kind: "apdu"; readonly peer: HdlcPeer; readonly apdu: Uint8Array }
  /** An APDU outside a connection (UI frame); nothing may answer it. */
  | { readonly kind: "datagram"; readonly peer: HdlcPeer; readonly broadcast: boolean; readonly apdu: Uint8Array }
  | { readonly kind: "disconnected"; readonly peer: HdlcPeer; readonly reason: DisconnectReason };

/** Why a connection ended: at the client's wish, by a new SNRM, in silence, or with a frame that cannot be. */
export type DisconnectReason = "disc" | "snrm" | "inactivity" | "frame-reject";
