import type { Infer } from "../codec/codec.ts";
import { SingleActionSchedule } from "../cosem/classes/single-action-schedule.ts";
import { refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import type { ScriptReference } from "../cosem/structures.ts";
import type { DateTime } from "../data/date-time.ts";
import { matchesDate, matchesTime } from "./calendar-pattern.ts";

export type ExecutionTimes = Infer<typeof SingleActionSchedule.attributes.executionTime.codec>;

/**
 * Types of single action schedules (Blue Book 4.5.6): how many execution times there may be, and whether their dates and
 * times may have wildcards.
 */
export const SCHEDULE_TYPES = {
  1: { times: 1, wildcards: true },
  2: { times: 255, wildcards: false },
  3: { times: 255, wildcards: true },
  4: { times: 255, wildcards: false },
  5: { times: 255, wildcards: true },
} as const;

/** How a schedule is set up. */
export interface ScheduleSettings {
  readonly executedScript: ScriptReference;
  readonly type: number;
  readonly executionTime: ExecutionTimes;
}

/** Seconds of a day that a schedule looks back over at most: what was missed for longer is not made up for. */
const MOST_CATCH_UP_SECONDS = 86_400;

/**
 * A single action schedule (class 22): runs a script at its times.
 *
 * State: up to when it has been looked at. Each second in between counts once, also when nobody looked for a while, up to
 * a day; the script then runs once.
 */
export class ActionSchedule {
  readonly #run: (script: ScriptReference) => void;
  readonly #localTime: (instant: number) => DateTime;
  #settings: ScheduleSettings;
  #until: number | undefined;

  constructor(parts: {
    readonly settings: ScheduleSettings;
    readonly run: (script: ScriptReference) => void;
    /** The meter's local time of an instant. */
    readonly localTime: (instant: number) => DateTime;
  }) {
    this.#run = parts.run;
    this.#localTime = parts.localTime;
    this.#settings = parts.settings;
  }

  get settings(): ScheduleSettings {
    return this.#settings;
  }

  /** False for times that the type does not allow. */
  change(settings: ScheduleSettings): boolean {
    const type = SCHEDULE_TYPES[settings.type as keyof typeof SCHEDULE_TYPES];
    if (type === undefined || settings.executionTime.length > type.times) return false;
    if (!type.wildcards && settings.executionTime.some(hasWildcards)) return false;
    this.#settings = settings;
    return true;
  }

  /** Lets time pass, in milliseconds since 1970 UTC. */
  tick(instant: number): void {
    const now = Math.floor(instant / 1000);
    const from = this.#until;
    this.#until = now;
    if (from === undefined || this.#settings.executionTime.length === 0) return;
    for (let second = Math.max(from + 1, now - MOST_CATCH_UP_SECONDS); second <= now; second += 1) {
      const local = this.#localTime(second * 1000);
      if (!this.#settings.executionTime.some((one) => isDue(one, local))) continue;
      this.#run(this.#settings.executedScript);
      return;
    }
  }
}

function isDue({ time, date }: ExecutionTimes[number], local: DateTime): boolean {
  return matchesTime(time, local) && matchesDate(date, local);
}

function hasWildcards({ time, date }: ExecutionTimes[number]): boolean {
  const { year, month, dayOfMonth } = date;
  return [time.hour, time.minute, time.second, year, month, dayOfMonth].includes(undefined);
}

/** Serves class 22 from a schedule of the meter. */
export function serveActionSchedule<State>(
  scheduleOf: (state: State, context: ServeContext) => ActionSchedule,
): ServedClass<State> {
  const change = (part: Partial<ScheduleSettings>, state: State, context: ServeContext) => {
    const schedule = scheduleOf(state, context);
    return schedule.change({ ...schedule.settings, ...part }) ? undefined : refuse("other-reason");
  };
  return SingleActionSchedule.serve<State>({
    get: {
      executedScript: (state, context) => scheduleOf(state, context).settings.executedScript,
      type: (state, context) => scheduleOf(state, context).settings.type,
      executionTime: (state, context) => scheduleOf(state, context).settings.executionTime,
    },
    set: {
      executedScript: (executedScript, state, context) => change({ executedScript }, state, context),
      type: (type, state, context) => change({ type }, state, context),
      executionTime: (executionTime, state, context) => change({ executionTime }, state, context),
    },
  });
}
