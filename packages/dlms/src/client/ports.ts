import type { SystemTitle } from "../system-title.ts";
import type { ConformanceBit } from "../xdlms/conformance.ts";

/**
 * Turns plain APDUs into protected ones and back. The library's own holds keys; a head-end's asks its custodian over a
 * socket, so both directions are asynchronous and take lists.
 */
export interface Protection {
  /** Octets that `seal` adds to an APDU, at most; those of the longest form without signature or agreed key unless given. */
  readonly overheadBytes?: number;
  /**
   * Requests are protected whole or not at all, as by who judges what they do: none is divided into blocks of its service,
   * whatever was agreed, and long ones go by general block transfer. False unless given.
   */
  readonly wholeRequests?: boolean;
  /** Protects each APDU, in order. @throws DlmsError when one may not be sealed; then none is. */
  seal(apdus: readonly Uint8Array[]): Promise<readonly Uint8Array[]>;
  /** Verifies and deciphers each APDU, in order. @throws DlmsError when one is not authentic or not as required. */
  open(apdus: readonly Uint8Array[]): Promise<readonly Uint8Array[]>;
}

/** What client and server agreed on. */
export interface Negotiated {
  /** The services that may be used (Green Book 9.4.6.1). */
  readonly conformance: readonly ConformanceBit[];
  /** Octets of the longest APDU the server takes, ciphering included; `undefined` when it has no limit. */
  readonly maxReceivePduSize: number | undefined;
  /** The server's system title, where it gave one. */
  readonly serverSystemTitle: SystemTitle | undefined;
  /** The base name of the association object, under short-name referencing; absent under logical names. */
  readonly associationBaseName?: number;
}

/** The next step of an association in the making. */
export type AssociationStep =
  /** `plain` is what the octets say before ciphering, where the associator can tell. */
  | { readonly kind: "send"; readonly apdu: Uint8Array; readonly plain?: Uint8Array }
  | { readonly kind: "established"; readonly protection: Protection; readonly negotiated: Negotiated };

/**
 * Makes the association. The local one runs the association machine with keys; a remote one forwards octets to a
 * custodian that runs the same machine.
 */
export interface Associator {
  /** The AARQ to send, or `established` at once for a pre-established association. */
  start(): Promise<AssociationStep>;
  /** Takes what the server answered. @throws SessionError when it refused or is not who it should be. */
  next(received: Uint8Array): Promise<AssociationStep>;
  /** The RLRQ to send. */
  release(): Promise<Uint8Array>;
  /** Takes the answer to the release. */
  released(received: Uint8Array): Promise<void>;
}

/** What is used of an `AbortSignal`; the package names no platform type. */
export interface Cancellation {
  readonly aborted: boolean;
  readonly reason?: unknown;
  addEventListener(type: "abort", listener: () => void, options?: { readonly once?: boolean }): void;
  removeEventListener(type: "abort", listener: () => void): void;
}

/** One request, one response. Rejects on timeouts, lost connections, and when `signal` aborts. */
export type Exchange = (apdu: Uint8Array, signal: Cancellation) => Promise<Uint8Array>;

/** A line used one way at a time, beside `Exchange`: for services that nobody answers, and for blocks in a row. */
export interface Line {
  send(apdu: Uint8Array): void | Promise<void>;
  /** The next APDU from the server; undefined when none came in time. Rejects when the line is lost or `signal` aborts. */
  receive(signal: Cancellation): Promise<Uint8Array | undefined>;
}

/** What travelled, for a ladder diagram: `plain` is what it says, `wire` the octets as sent. */
export interface ExchangeEvent {
  readonly direction: "sent" | "received";
  /** What it was for: `associate`, `authenticate`, `get 1.0.1.8.0.255/2`, `release`, … */
  readonly step: string;
  /** Absent when a received APDU could not be opened. */
  readonly plain: Uint8Array | undefined;
  readonly wire: Uint8Array;
}
