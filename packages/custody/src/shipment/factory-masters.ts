import type { CustodianRequest, CustodianResponse, KeyState, MasterCommand } from "@meterkeep/api/custodian";
import type { Changes } from "../authority/changes.ts";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { mayBecome, stateAfter } from "../keys/key-transition.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import type { Committer } from "../store/committer.ts";
import type { CustodyStore } from "../store/store.ts";
import type { Vault } from "../vault/vault.ts";
import { masterName } from "./factory-master.ts";

/** The entry of a master that was taken in, and of one that has another state. */
export const MASTER_ACCEPTED = "factory-master-accepted";
const MASTER_CHANGED = "factory-master-state-changed";

/** A master as the ledger has it. */
export interface HeldMaster {
  /** 32 hex digits. */
  readonly master: string;
  readonly manufacturer: string;
  readonly manufacturerKey: string;
  readonly state: KeyState;
  readonly since: number;
}

interface EntryBody {
  readonly master: string;
  readonly manufacturer: string;
  readonly manufacturerKey: string;
  readonly to?: KeyState;
}

/** What masters are kept with. */
export interface FactoryMasterDependencies {
  readonly ledger: Pick<CustodyStore["ledger"], "ofKinds">;
  readonly committer: Pick<Committer, "submit">;
  readonly vault: Pick<Vault, "destroyMaster">;
  readonly changes: Pick<Changes, "require">;
  readonly now: () => number;
}

/**
 * The masters that manufacturers derive factory keys from, each in a state of NIST SP 800-57. The states follow from the
 * ledger's entries alone, so that no row puts one back; only from one that is active keys are derived.
 *
 * That a master is compromised changes no meter here: whoever has it had the factory keys of its meters, which is what the
 * taint of those says already, and ours follow from none of them. What it ends is the taking in of meters under it.
 */
export class FactoryMasters {
  readonly #dependencies: FactoryMasterDependencies;
  #held: ReadonlyMap<string, HeldMaster> | undefined;

  constructor(dependencies: FactoryMasterDependencies) {
    this.#dependencies = dependencies;
  }

  /** All that were ever taken in. */
  async list(): Promise<readonly HeldMaster[]> {
    return [...(await this.#known()).values()];
  }

  /** The state of a master; undefined for one that was never taken in. */
  async stateOf(name: string): Promise<KeyState | undefined> {
    return (await this.#known()).get(name)?.state;
  }

  /** One more was taken in, and the ledger has it. */
  learn(): void {
    this.#held = undefined;
  }

  /**
   * Brings a master into another state. What cannot be taken back, its destruction, takes people's agreement; the ledger has
   * it before the octets are gone, and they are gone when it is asked for again.
   *
   * @throws CallRefusal `key-unknown`, `key-transition-refused`, `approval-required`
   */
  async change(
    { master, manufacturerKey, command, reason }: CustodianRequest<"changeMasterState">,
    caller: Caller,
  ): Promise<CustodianResponse<"changeMasterState">> {
    const { committer, vault, changes, now } = this.#dependencies;
    const name = masterName(manufacturerKey, master);
    const held = (await this.#known()).get(name);
    if (held === undefined) throw new CallRefusal("key-unknown", `no master ${master} of that manufacturer is held`);
    const to = masterStateAfter(command, held.state);
    const isDone = command === "destroy" && held.state.startsWith("destroyed");
    if (!isDone && !mayBecome(held.state, to))
      throw new CallRefusal("key-transition-refused", `a master that is ${held.state} does not become ${to}`);
    const { manufacturer } = held;
    if (!isDone) {
      if (command === "destroy")
        await changes.require("destroy-keys", { meter: `master ${master} of ${manufacturer}` }, caller, reason);
      const body = { master, manufacturer, manufacturerKey, from: held.state, to, reason };
      await committer.submit({ entries: [installationEntry(now(), MASTER_CHANGED, caller.name, body)] });
      this.#held = undefined;
    }
    if (command === "destroy") await vault.destroyMaster(name);
    return { state: isDone ? held.state : to };
  }

  async #known(): Promise<ReadonlyMap<string, HeldMaster>> {
    if (this.#held !== undefined) return this.#held;
    const known = new Map<string, HeldMaster>();
    for (const { at, body } of await this.#dependencies.ledger.ofKinds([MASTER_ACCEPTED, MASTER_CHANGED])) {
      const { master, manufacturer, manufacturerKey, to = "active" } = JSON.parse(body) as EntryBody;
      known.set(masterName(manufacturerKey, master), { master, manufacturer, manufacturerKey, state: to, since: at });
    }
    this.#held = known;
    return known;
  }
}

function masterStateAfter(command: MasterCommand, from: KeyState): KeyState {
  return command === "deactivate" ? "deactivated" : stateAfter(command, from);
}
