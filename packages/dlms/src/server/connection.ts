import type { HlsMechanism } from "../security/hls-mechanisms.ts";
import type { KeySource } from "../security/key-info.ts";
import type { CipheringForm } from "../security/layers.ts";
import type { AttributeWithSelection, MethodDescriptor } from "../xdlms/descriptors.ts";
import type { InvokeIdAndPriority } from "../xdlms/invoke-id.ts";
import type { Agreement } from "./agreement.ts";
import type { AssociationModel } from "./association-model.ts";
import type { IncomingBlocks, OutgoingBlocks } from "./block-transfer.ts";
import type { BlockTransfers } from "./block-transfers.ts";
import type { KeySet, SecuritySetupPort } from "./ports.ts";

/** What an association holds while it lasts. */
export interface Association<Key> {
  readonly agreement: Agreement;
  /** Undefined where nothing can be ciphered. */
  readonly security: AssociationSecurity<Key> | undefined;
}

/** The security of one association. */
export interface AssociationSecurity<Key> {
  readonly setup: SecuritySetupPort<Key>;
  /** The keys as they were when the association was made: it lives and ends with them. */
  readonly keys: KeySet<Key>;
  readonly dedicated: DedicatedKey<Key> | undefined;
  /** Set when this association itself has changed the keys: it may then end in peace, others may not. */
  changedKeys: boolean;
}

/** The client's key for this association only. It is new, so its counters start anywhere. */
export interface DedicatedKey<Key> {
  readonly key: Key;
  lowestAcceptable: number;
}

/** How a request came, and so how its response goes. */
export interface RequestProtection {
  readonly form: CipheringForm | undefined;
  /** Whose key it was, in general-ciphering with key-info. */
  readonly source?: KeySource | undefined;
  readonly signed: boolean;
  /** The response repeats it, in the forms that carry one. */
  readonly transactionId?: Uint8Array | undefined;
  readonly authenticated: boolean;
  readonly encrypted: boolean;
  /** The lowest counter that was acceptable before this request: an HLS reply inside is judged by it. */
  readonly lowestBefore: number;
}

export const UNPROTECTED: RequestProtection = {
  form: undefined,
  authenticated: false,
  encrypted: false,
  signed: false,
  lowestBefore: 0,
};

/** A long request or response under way: at most one in an association. */
export type Transfer =
  | { readonly kind: "get"; readonly blocks: OutgoingBlocks }
  | {
      readonly kind: "set";
      readonly targets: readonly AttributeWithSelection[];
      readonly list: boolean;
      readonly blocks: IncomingBlocks;
    }
  | {
      readonly kind: "action-request";
      readonly methods: readonly MethodDescriptor[];
      readonly list: boolean;
      readonly blocks: IncomingBlocks;
    }
  | { readonly kind: "action-response"; readonly blocks: OutgoingBlocks }
  /** READ and WRITE of short names, whose responses in blocks are of kind `get`. */
  | { readonly kind: "read-request" | "write-request"; readonly blocks: IncomingBlocks };

/** For services without an invoke id. */
export const NO_INVOKE_ID: InvokeIdAndPriority = { invokeId: 0, confirmed: true, highPriority: false };

/**
 * Where a client stands with this server:
 *
 * - `idle`: no association; only an AARQ is answered with more than an exception.
 * - `authenticating`: AARQ accepted, the client has still to answer our challenge; nothing else is served.
 * - `associated`: requests are served, with at most one transfer under way.
 */
export type Standing<Key> =
  | { readonly kind: "idle" }
  | {
      readonly kind: "authenticating";
      readonly association: Association<Key>;
      /** Undefined for mechanism 5, which works with the keys of the security setup. */
      readonly mechanism: HlsMechanism | undefined;
      readonly clientChallenge: Uint8Array;
      /** As the client sent it: nobody has checked it yet. */
      readonly clientCertificate: Uint8Array | undefined;
      readonly serverChallenge: Uint8Array;
    }
  | { readonly kind: "associated"; readonly association: Association<Key>; transfer: OpenTransfer | undefined };

/** A transfer with the invoke id it belongs to. */
export interface OpenTransfer {
  readonly invokeIdAndPriority: InvokeIdAndPriority;
  readonly transfer: Transfer;
}

/** One client on one line: made by `CosemServer.connect`, changed by nothing but the server. */
export class Connection<Key, State> {
  readonly clientSap: number;
  readonly serverSap: number;
  /** Undefined when the meter offers nothing to this client SAP. */
  readonly model: AssociationModel<State> | undefined;
  standing: Standing<Key>;
  /** The general block transfers of the association, once there are any. */
  blocks: BlockTransfers | undefined;
  /** What has to be sent after the answer given last. */
  following: readonly Uint8Array[] = [];

  constructor(
    saps: { readonly clientSap: number; readonly serverSap: number },
    model: AssociationModel<State> | undefined,
    standing: Standing<Key>,
  ) {
    this.clientSap = saps.clientSap;
    this.serverSap = saps.serverSap;
    this.model = model;
    this.standing = standing;
  }
}
