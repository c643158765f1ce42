import type { KeyName, KeyRecord } from "../store/records.ts";

/** Fresh keys, sealed and ready to be stored; their octets are unsealed again only when the transfer is built. */
export interface PreparedTransfer {
  readonly names: readonly KeyName[];
  readonly records: readonly KeyRecord[];
  readonly checkValues: readonly Uint8Array[];
}
