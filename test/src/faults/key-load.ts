import type { KeyLifeReport, RotationState } from "@meterkeep/api/custodian";
import { said } from "../authority.ts";
import { assertCustodyIsWhole } from "../custody-check.ts";
import type { Meterkeep } from "../start-meterkeep.ts";
import type { TownControl, TownRequest } from "../town-control.ts";
import { until } from "../until.ts";
import { any } from "./line-faults.ts";

type Status = KeyLifeReport & { readonly rotations: readonly (Omit<RotationState, "meter"> & { meter: string })[] };

const PATIENCE = { patienceMs: 1_800_000, everyMs: 2_000 } as const;
/** What strikes a transfer of keys: whether the meter has applied it, nobody can tell from the line. */
const TRANSFER_FAULTS = ["drop", "reset", "crash-before", "crash-after", "truncate", "flip", "flip-request"] as const;
const [MOST_BITS, MOST_PASSED] = [2_048, 4];

/** Gives meters new keys, one meter after another, whose transfers are lost on the line; then asks whether each has keys that are known and proven. */
export class KeyLoad {
  readonly #meterkeep: Meterkeep;
  readonly #town: TownControl;
  readonly #count: (what: string) => void;
  readonly #asked = new Set<string>();
  #asking: Promise<void> = Promise.resolve();

  constructor(meterkeep: Meterkeep, town: TownControl, count: (what: string) => void) {
    this.#meterkeep = meterkeep;
    this.#town = town;
    this.#count = count;
  }

  /** Plans new keys for one meter more, behind those before. */
  rotateNext(meters: readonly string[]): void {
    const meter = any(meters.filter((one) => !this.#asked.has(one)));
    if (meter === undefined) return;
    this.#asked.add(meter);
    const fault: TownRequest = {
      do: "fault",
      meter,
      fault: any(TRANSFER_FAULTS),
      scope: "key-transfer",
      amount: Math.floor(Math.random() * MOST_BITS),
      after: Math.floor(Math.random() * MOST_PASSED),
      times: 1,
    };
    this.#asking = this.#asking.then(async () => {
      await this.#town.ask([fault]).catch(() => undefined);
      const { status } = await this.#meterkeep.command(["keys", "rotate", meter, "--json"]);
      this.#count(status === 0 ? "key transfer lost on the line" : "rotation not planned");
    });
  }

  /** Resolves when nobody is asked any more. */
  async rest(): Promise<void> {
    await this.#asking;
  }

  /** Waits until no rotation of a meter that answers is open, and gives what is wrong with keys. */
  async faults(meters: number, dead: ReadonlySet<string>): Promise<readonly string[]> {
    const report = await until(
      "no rotation is open",
      async () => {
        const status = await said<Status>(this.#meterkeep, "keys", "status").catch(() => undefined);
        return status?.rotations.every(({ meter }) => dead.has(meter)) && status;
      },
      PATIENCE,
    );
    const { rotations } = await said<Status>(this.#meterkeep, "keys", "status", "--failed");
    console.log(`keys: ${this.#asked.size} meters were to be given new ones; ${report.proven} rotations are proven`);
    const whole = await assertCustodyIsWhole(this.#meterkeep.stateDirectory, meters).then(
      () => [],
      (error: unknown) => [`custody: ${String(error)}`],
    );
    return [
      ...rotations.filter(({ meter }) => !dead.has(meter)).map(({ meter, phase }) => `keys of ${meter}: ${phase}`),
      ...whole,
    ];
  }
}
