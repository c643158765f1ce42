import type { LedgerDraft } from "@meterkeep/ledger";
import type { Committer } from "../store/committer.ts";
import { PURPOSE, type SetupPlace } from "../store/records.ts";
import { CAUSE_RISK } from "../store/rotation-cause.ts";
import type { CustodyStore } from "../store/store.ts";

/** A meter that has refused so many associations in a row is asked what it knows. */
const REFUSALS = 3;
/** So many a day are helped: where more refuse, it is not the meters, and somebody has to look. */
const MOST_A_DAY = 200;
const DAY_MILLISECONDS = 86_400_000;

export interface RefusingMetersPorts {
  readonly rotations: Pick<CustodyStore["rotations"], "plan">;
  readonly committer: Pick<Committer, "submit">;
  now(): number;
}

/**
 * Meters in service that refuse our associations one after the other: somebody else has used their counters up, or they were reset.
 * Only a contact of takeover may ask a meter for its counter, within what hints may cost, and prove it (`headend.md` 1.4); so a
 * rotation of the key that the counter belongs to is planned, which begins with that. What is counted is memory: a restart
 * counts anew.
 */
export class RefusingMeters {
  readonly #ports: RefusingMetersPorts;
  readonly #refusals = new Map<string, number>();
  #helped: readonly number[] = [];

  constructor(ports: RefusingMetersPorts) {
    this.#ports = ports;
  }

  /** It has proven itself. */
  proven({ systemTitle }: SetupPlace): void {
    this.#refusals.delete(systemTitle);
  }

  /** An association with it was refused, or what came in its name proved nothing. */
  async refused(place: SetupPlace): Promise<void> {
    const { systemTitle, utility, island } = place;
    const count = (this.#refusals.get(systemTitle) ?? 0) + 1;
    this.#refusals.set(systemTitle, count % REFUSALS);
    if (count < REFUSALS) return;
    const { rotations, committer, now } = this.#ports;
    const at = now();
    this.#helped = this.#helped.filter((one) => one > at - DAY_MILLISECONDS);
    if (this.#helped.length >= MOST_A_DAY) return;
    const planned = await rotations.plan({
      meters: [systemTitle],
      madeBefore: undefined,
      countAbove: undefined,
      purposes: [PURPOSE.GUEK],
      cause: "demand",
      risk: CAUSE_RISK.demand,
      plannedBy: "policy",
      at,
      limit: 1,
    });
    if (planned === 0) return;
    this.#helped = [...this.#helped, at];
    const body = { cause: "demand", reason: `the meter refused ${REFUSALS} associations in a row`, planned };
    const planning: LedgerDraft = {
      at,
      kind: "rotations-planned",
      principal: "policy",
      utility,
      island,
      meter: systemTitle,
      body,
    };
    await committer.submit({ entries: [planning] });
  }
}
