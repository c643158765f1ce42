import type { KeyRecord } from "../store/records.ts";

/** A key in escrow: where it belongs, and its octets as they lie sealed in the vault. */
export type EscrowedKey = Pick<
  KeyRecord,
  "utility" | "island" | "systemTitle" | "setup" | "purpose" | "version" | "sealed" | "createdAt"
>;

/**
 * Keys on second storage, for the day on which the first is gone. It only grows. Every adapter passes
 * `keyEscrowContract`.
 */
export interface KeyEscrow {
  /** Keeps keys durably: nothing made from them leaves before the promise is kept. @throws CustodyError `escrow-failed` */
  append(keys: readonly EscrowedKey[]): Promise<void>;
  /** All keys, in the order in which they came. */
  read(): AsyncIterable<EscrowedKey>;
  close(): Promise<void>;
}

/** Escrow that lasts as long as the process: for tests. */
export function memoryEscrow(): KeyEscrow {
  const kept: EscrowedKey[] = [];
  return {
    append: async (keys) => {
      kept.push(...keys);
    },
    read: async function* () {
      yield* kept;
    },
    close: async () => {},
  };
}
