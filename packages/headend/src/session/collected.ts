import type { SupplyState } from "@meterkeep/api";
import type { MeterProfile } from "../profile/meter-profile.ts";
import { type AnsweredRows, answeredIntervals, answeredRows } from "../reading/answered-rows.ts";
import type { Stretch } from "../reading/coverage.ts";
import { SETTLE_SECONDS } from "../reading/gaps.ts";
import { clockOff } from "../reading/misdated.ts";
import { measuresBothWays, netPowerW } from "../reading/net-power.ts";
import type { QualityRecord, ReadResult, RegisterRecord } from "../reading/result.ts";
import type { ClockCheck } from "../time/clock-check.ts";
import type { ListedObjects } from "./object-list.ts";
import type { ReadRow } from "./profile-rows.ts";
import type { PushDestinationRecord } from "./push-set-ups.ts";

/** What a session has read so far. */
export class Collected {
  readonly registers: RegisterRecord[] = [];
  readonly #intervals: ReadResult["intervals"][number][] = [];
  readonly #covered: Stretch[] = [];
  readonly #lacking: AnsweredRows["lacking"][number][] = [];
  readonly #outages: Stretch[] = [];
  readonly #quality: QualityRecord[] = [];
  readonly #qualityCovered: Stretch[] = [];
  readonly #qualityLacking: Stretch[] = [];
  /** Stretches that the meter did not give beside other things. */
  readonly refused: Stretch[] = [];
  readonly #profile: MeterProfile;
  readonly destinations: PushDestinationRecord[] = [];
  /** What was looked for in its object list, where that was asked for and given. */
  listed: ListedObjects | undefined;
  events: ReadResult["events"];
  /** The newest end of a day of which it gave the registers. */
  daysTo: number | undefined;
  supply: SupplyState | undefined;
  clock: ClockCheck | undefined;
  /** What the meter's own clock showed, milliseconds since 1970 UTC. */
  clockShown: number | undefined;

  constructor(profile: MeterProfile) {
    this.#profile = profile;
  }

  take(rows: readonly ReadRow[], asked: Stretch): void {
    for (const row of rows) this.#intervals.push(...row.intervals);
    const answered = answeredRows(rows, asked, this.#profile.loadProfile, this.#settledTo());
    if (answered === undefined) return;
    this.#covered.push(answered.stretch);
    this.#lacking.push(...answered.lacking);
    this.#outages.push(...answered.outages);
  }

  takeQuality(rows: readonly QualityRecord[], asked: Stretch): void {
    const { powerQuality } = this.#profile;
    if (powerQuality === undefined) return;
    this.#quality.push(...rows);
    const answered = answeredIntervals(rows, asked, powerQuality.periodSeconds, this.#settledTo());
    if (answered === undefined) return;
    this.#qualityCovered.push(answered.stretch);
    this.#qualityLacking.push(...answered.lacking);
  }

  /** Up to when the meter has stored what it captured, by its own clock: of what is later it could not speak. */
  #settledTo(): number | undefined {
    return this.clockShown === undefined ? undefined : this.clockShown - SETTLE_SECONDS * 1000;
  }

  #qualityAnswered(): Pick<ReadResult, "qualityAnswered"> {
    const { powerQuality } = this.#profile;
    if (powerQuality === undefined) return {};
    const { periodSeconds } = powerQuality;
    return { qualityAnswered: { covered: this.#qualityCovered, lacking: this.#qualityLacking, periodSeconds } };
  }

  result(): ReadResult {
    const { periodSeconds } = this.#profile.loadProfile;
    const { registers } = this;
    const off = clockOff(this.clock, this.clockShown);
    const powerW = netPowerW(this.registers, measuresBothWays(this.#profile));
    const energyWh = this.registers.find(({ obis }) => obis === "1-0:1.8.0")?.value;
    return {
      registers,
      intervals: this.#intervals,
      covered: this.#covered,
      periodSeconds,
      ...(this.#lacking.length === 0 ? {} : { lacking: this.#lacking }),
      ...(this.#outages.length === 0 ? {} : { outages: this.#outages }),
      ...(off === undefined ? {} : { clockOff: off }),
      ...(this.events === undefined ? {} : { events: this.events }),
      ...(this.#quality.length === 0 ? {} : { quality: this.#quality }),
      ...this.#qualityAnswered(),
      ...(this.daysTo === undefined ? {} : { daysTo: this.daysTo }),
      ...(this.listed === undefined ? {} : { pushSetUps: this.listed.pushSetUps }),
      ...(this.supply === undefined ? {} : { supply: this.supply }),
      ...(this.clock === undefined ? {} : { clockOffsetSeconds: this.clock.certainSeconds }),
      ...(powerW === undefined ? {} : { powerW }),
      ...(typeof energyWh === "number" ? { energyWh } : {}),
    };
  }
}
