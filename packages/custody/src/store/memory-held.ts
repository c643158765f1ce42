import type { LedgerEntry } from "@meterkeep/ledger";
import type { HeldAuthority } from "../authority/store/memory-authority.ts";
import type {
  EnrolmentRecord,
  KeyRecord,
  MeterRecord,
  RotationRecord,
  ShipmentRecord,
  StoredCounter,
  StoredTakeover,
  WindowRecord,
} from "./records.ts";

/** Everything a store holds; maps are replaced as a whole, so that a failed commit leaves no trace. */
export interface Held {
  meters: Map<string, MeterRecord>;
  keys: Map<string, KeyRecord>;
  checkValues: Map<string, string>;
  counters: Map<string, StoredCounter>;
  windows: Map<string, WindowRecord>;
  takeovers: Map<string, StoredTakeover>;
  rotations: Map<string, RotationRecord>;
  enrolments: Map<string, EnrolmentRecord>;
  /** When the state of a key last changed. */
  changed: Map<string, number>;
  shipments: Map<string, ShipmentRecord>;
  authority: HeldAuthority;
  ledger: LedgerEntry[];
}
