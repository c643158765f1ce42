import type { LedgerDraft } from "@meterkeep/ledger";
import { DAY_MILLISECONDS } from "../day.ts";
import type { Committer } from "../store/committer.ts";
import { PURPOSE, type SetupPlace } from "../store/records.ts";
import { CAUSE_RISK } from "../store/rotation-cause.ts";
import type { CustodyStore } from "../store/store.ts";

/** A meter that has refused so many associations in a row is asked what it knows. */
const REFUSALS = 3;
/**
 * So many that another session came between are as good as one of those: they are explained by it, but where none of all these is
 * followed by a proof the meter refuses whoever comes, and nobody keeps it from help by opening sessions beside those of others.
 */
const OVERTAKEN = 10;
/** So many a day are helped: where more refuse, it is not the meters, and somebody has to look. */
const MOST_A_DAY = 200;
/** So many an hour: who forges refusals on the line must not use up at once what the day has for meters in need. */
const MOST_AN_HOUR = 40;
const HOUR_MILLISECONDS = 3_600_000;
/** A meter is helped once in so long: a contact that did not help it does not help it tomorrow. */
const REST_MILLISECONDS = 7 * DAY_MILLISECONDS;

const POLICY = "policy";
const CAUSE = "demand";

export interface RefusingMetersPorts {
  readonly rotations: Pick<CustodyStore["rotations"], "plan" | "plannedSince">;
  readonly committer: Pick<Committer, "submit">;
  now(): number;
}

/**
 * Meters in service that refuse our associations one after the other: somebody else has used their counters up, or they were reset.
 * Only a contact of takeover may ask a meter for its counter, within what hints may cost, and prove it; so a
 * rotation of the key that the counter belongs to is planned, which begins with that. Octets that anybody on the line can make
 * count as a refusal, so that what is planned has a cap an hour, a day and a meter, which a restart does not begin anew.
 * Refusals in a row are memory.
 */
export class RefusingMeters {
  readonly #ports: RefusingMetersPorts;
  /** In a row, in parts of one: each that was overtaken is one part, each other `OVERTAKEN`. */
  readonly #refusals = new Map<string, number>();
  /** When a meter was last helped, or is being; by system title. */
  #helped: Promise<Map<string, number>> | undefined;

  constructor(ports: RefusingMetersPorts) {
    this.#ports = ports;
  }

  /** It has proven itself. */
  proven({ systemTitle }: SetupPlace): void {
    this.#refusals.delete(systemTitle);
  }

  /** An association with it was refused, or what came in its name proved nothing; `isOvertaken` where another session may be why. */
  async refused(place: SetupPlace, isOvertaken = false): Promise<void> {
    const { systemTitle, utility, island } = place;
    const count = (this.#refusals.get(systemTitle) ?? 0) + (isOvertaken ? 1 : OVERTAKEN);
    if (count < REFUSALS * OVERTAKEN) {
      this.#refusals.set(systemTitle, count);
      return;
    }
    this.#refusals.delete(systemTitle);
    const { rotations, committer, now } = this.#ports;
    const at = now();
    const helped = await this.#known(at);
    // Taken before anything is waited for: of many at once only so many find room.
    if (!hasRoom(helped, systemTitle, at)) return;
    helped.set(systemTitle, at);
    let planned = 0;
    try {
      planned = await rotations.plan({
        meters: [systemTitle],
        madeBefore: undefined,
        countAbove: undefined,
        purposes: [PURPOSE.GUEK],
        cause: CAUSE,
        risk: CAUSE_RISK[CAUSE],
        plannedBy: POLICY,
        at,
        limit: 1,
      });
    } finally {
      if (planned === 0) helped.delete(systemTitle);
    }
    if (planned === 0) return;
    const body = { cause: CAUSE, reason: `the meter refused ${REFUSALS} associations in a row, or more`, planned };
    const planning: LedgerDraft = {
      at,
      kind: "rotations-planned",
      principal: POLICY,
      utility,
      island,
      meter: systemTitle,
      body,
    };
    await committer.submit({ entries: [planning] });
  }

  /** The meters that rest, as the rotations of this policy say which were planned before a start. */
  async #known(at: number): Promise<Map<string, number>> {
    this.#helped ??= this.#ports.rotations
      .plannedSince(POLICY, CAUSE, at - REST_MILLISECONDS)
      .then((planned) => new Map(planned.map((one) => [one.systemTitle, one.at])));
    try {
      return await this.#helped;
    } catch (error) {
      this.#helped = undefined;
      throw error;
    }
  }
}

function hasRoom(helped: Map<string, number>, systemTitle: string, at: number): boolean {
  let [anHour, aDay] = [0, 0];
  for (const [title, helpedAt] of helped) {
    if (helpedAt <= at - REST_MILLISECONDS) helped.delete(title);
    if (helpedAt > at - DAY_MILLISECONDS) aDay += 1;
    if (helpedAt > at - HOUR_MILLISECONDS) anHour += 1;
  }
  return aDay < MOST_A_DAY && anHour < MOST_AN_HOUR && !helped.has(systemTitle);
}
