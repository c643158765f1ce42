import type { KeyPurpose } from "@meterkeep/dlms";
import type { StoredMeter } from "./nvm/memory.ts";
import type { MeterSettings } from "./nvm/settings.ts";
import type { UnixSeconds } from "./time/calendar.ts";

/** One that has acknowledged new keys and is then left alone so long has been carried away, whatever the depot made of it. Seconds. */
const LEFT_ALONE_SECONDS = 1800;

/** What a stay in the depot needs of its meter. */
export interface DepotOwner {
  readonly record: Pick<StoredMeter["record"], "depot">;
  readonly settings: MeterSettings;
  /** Security setups beside the first, by number. */
  readonly setups: Pick<ReadonlyMap<number, unknown>, "keys">;
  changeSettings(settings: MeterSettings): void;
}

/**
 * A meter's stay in the depot, which its memory keeps.
 *
 * States: in the depot, until it has acknowledged a new master key there in each of its security setups, or has acknowledged other
 * keys and was left alone since; then over, and that for good. Of a meter that never was in a depot it is over from the first.
 */
export class DepotStay {
  readonly #owner: DepotOwner;
  readonly #onOver: (at: UnixSeconds) => void;

  constructor(owner: DepotOwner, onOver: (at: UnixSeconds) => void) {
    this.#owner = owner;
    this.#onOver = onOver;
  }

  get isOver(): boolean {
    return !this.#owner.record.depot || this.#owner.settings.inField === true;
  }

  /** New keys of a security setup were acknowledged. */
  onKeys(purposes: readonly KeyPurpose[], setup: number, at: UnixSeconds): void {
    if (this.isOver) return;
    const { settings, setups } = this.#owner;
    const hasMaster = purposes.includes("keyEncryptionKey");
    const setupsKeyed = [...(settings.setupsKeyed ?? []), ...(hasMaster ? [setup] : [])];
    if ([0, ...setups.keys()].every((one) => setupsKeyed.includes(one))) this.#end(at);
    else {
      const keyed = setupsKeyed.length === 0 ? {} : { setupsKeyed };
      this.#owner.changeSettings({ ...settings, ...keyed, acknowledgedAt: at });
    }
  }

  /** Lets time pass since somebody has spoken with it last. */
  tick(at: UnixSeconds, servedAt: UnixSeconds): void {
    const { acknowledgedAt } = this.#owner.settings;
    if (this.isOver || acknowledgedAt === undefined) return;
    if (at - Math.max(acknowledgedAt, servedAt) >= LEFT_ALONE_SECONDS) this.#end(at);
  }

  #end(at: UnixSeconds): void {
    const { acknowledgedAt: _, setupsKeyed: _keyed, ...settings } = this.#owner.settings;
    this.#owner.changeSettings({ ...settings, inField: true });
    this.#onOver(at);
  }
}
