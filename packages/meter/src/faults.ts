import type { KeyFault } from "./production.ts";

/** What may be wrong with how a meter takes new keys. `partial` applies the first keys of a call only. */
export type KeyTransferFault = KeyFault | { readonly kind: "partial"; readonly keys: number };

/**
 * Ways in which a meter may misbehave about its certificates: it asks for a certificate of a key that is not its own,
 * acknowledges an import and keeps nothing, exports the certificate it had before, or acknowledges a removal and keeps
 * what was to go.
 */
export const CERTIFICATE_FAULTS = [
  "none",
  "requestsForAnother",
  "keepsNoCertificate",
  "exportsFormer",
  "keepsForeign",
] as const;
export type CertificateFault = (typeof CERTIFICATE_FAULTS)[number];

/** What a fault strikes; `certificates` are the calls that change key pairs or certificates. */
export type FaultScope = "any" | "association" | "key-transfer" | "certificates";

/** What goes wrong with a request or its answer. */
export type LineFault =
  /** The answer is not sent. */
  | { readonly kind: "drop" }
  /** The answer comes late. */
  | { readonly kind: "delay"; readonly milliseconds: number }
  /** The answer comes after the next one. */
  | { readonly kind: "reorder" }
  /** The answer comes twice. */
  | { readonly kind: "duplicate" }
  /** The answer breaks off after so many octets, and the connection ends. */
  | { readonly kind: "truncate"; readonly octets: number }
  /** A bit of the answer is another, counted from its first octet on and over again. */
  | { readonly kind: "flip"; readonly bit: number }
  /** The same of the request, before the meter sees it. */
  | { readonly kind: "flip-request"; readonly bit: number }
  /** The connection is reset instead of the answer. */
  | { readonly kind: "reset" }
  /** The meter loses power before it has applied anything, and comes up again. */
  | { readonly kind: "crash-before" }
  /** The meter loses power after it has applied and remembered everything, before the answer. */
  | { readonly kind: "crash-after" };

/** A fault that is armed: it strikes requests in its scope so many times. */
export interface ArmedFault {
  readonly fault: LineFault;
  readonly scope: FaultScope;
  /** How often it strikes; absent for ever. */
  readonly times?: number;
  /** How many requests in its scope it lets pass first. */
  readonly after?: number;
}

/**
 * The faults of one meter.
 *
 * States: an armed fault counts down the requests it lets pass, then those it strikes, and is gone. Arming another replaces it.
 */
export class Faults {
  keyTransfer: KeyTransferFault;
  certificates: CertificateFault = "none";
  /** What clients write and call is acknowledged, and not done. */
  lies = false;
  #armed: ArmedFault | undefined;
  #passed = 0;
  #struck = 0;

  constructor(keyTransfer: KeyFault) {
    this.keyTransfer = keyTransfer;
  }

  arm(armed: ArmedFault | undefined): void {
    this.#armed = armed;
    this.#passed = 0;
    this.#struck = 0;
  }

  /** The fault that strikes this request, if any. */
  strike(scope: Exclude<FaultScope, "any"> | undefined): LineFault | undefined {
    const armed = this.#armed;
    if (armed === undefined || (armed.scope !== "any" && armed.scope !== scope)) return undefined;
    if (this.#passed < (armed.after ?? 0)) {
      this.#passed += 1;
      return undefined;
    }
    this.#struck += 1;
    if (armed.times !== undefined && this.#struck >= armed.times) this.#armed = undefined;
    return armed.fault;
  }
}

/** A copy of what travels in which one bit is another. */
export function flipped(octets: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(octets);
  const at = bit % (8 * copy.length);
  if (copy.length > 0) copy[at >> 3] = (copy[at >> 3] as number) ^ (1 << (at & 7));
  return copy;
}
