import type { ConformanceBit } from "../xdlms/conformance.ts";
import type { AssociationModel } from "./association-model.ts";
import type { Association, OpenTransfer, RequestProtection } from "./connection.ts";
import type { Device } from "./ports.ts";

/** One request being served: who asks, how well protected it came, and what its response may weigh. */
export interface Call<Key, State> {
  readonly device: Device<Key, State>;
  readonly model: AssociationModel<State>;
  readonly association: Association<Key>;
  readonly serverSap: number;
  readonly protection: RequestProtection;
  /** Octets that a plain response may have so that the client takes it, protected, as one APDU. */
  readonly maxResponseBytes: number;
  /** General block transfer carries what is longer: always, only where blocks of the service were not agreed, or never. */
  readonly generalBlocks: "preferred" | "agreed" | "none";
  /** Octets that a long request may grow to. */
  readonly maxRequestBytes: number;
  /** The transfer under way when the request came. */
  readonly pending: OpenTransfer | undefined;
  /** The transfer under way from here on: every request that does not continue one ends it. */
  transfer: OpenTransfer | undefined;
}

/** Whether the association agreed on a service or option. */
export function agreed(call: Pick<Call<unknown, never>, "association">, bit: ConformanceBit): boolean {
  return call.association.agreement.conformance.includes(bit);
}

/** Octets of data in a block of a response, beside `overheadBytes` of its own. */
export function responseBlockBytes(
  { model, maxResponseBytes }: Pick<Call<unknown, never>, "model" | "maxResponseBytes">,
  overheadBytes: number,
): number {
  return Math.min(model.definition.responseBlockBytes ?? maxResponseBytes, maxResponseBytes - overheadBytes);
}

/** Whether a plain response can go out whole; else it needs `blocks`, those of its service, where there are any. */
export function fitsResponse(
  call: Pick<Call<unknown, never>, "association" | "maxResponseBytes" | "generalBlocks">,
  bytes: number,
  blocks?: ConformanceBit,
): boolean {
  if (bytes <= call.maxResponseBytes || call.generalBlocks === "preferred") return true;
  return call.generalBlocks === "agreed" && (blocks === undefined || !agreed(call, blocks));
}
