import type { MeterClock, ObjectTree } from "@meterkeep/dlms";

/** What the objects of a model meter see of the meter they belong to. */
export interface ModelState {
  /** One clock, whatever objects show it. */
  readonly clock: MeterClock;
  /** The meter's own view of its objects. */
  readonly tree: ObjectTree<ModelState>;
  /** What a client has written to an attribute. */
  written(key: string): Uint8Array | undefined;
  /** What an object keeps for itself, made when it is first asked for. */
  keepsake<T>(key: string, make: () => T): T;
  /** Keeps what a client has written. */
  keep(key: string, octets: Uint8Array): void;
}
