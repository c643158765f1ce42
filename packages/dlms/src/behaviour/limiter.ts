import { Limiter } from "../cosem/classes/limiter.ts";
import { refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import type { AttributeReference, ScriptReference } from "../cosem/structures.ts";
import { type DateTime, dateTime } from "../data/date-time.ts";
import type { Data } from "../data/value.ts";
import { orderOf, orderOfOctets } from "./ordering.ts";

/** emergency_profile (Blue Book 4.5.9). */
export interface EmergencyProfile {
  readonly emergencyProfileId: number;
  readonly emergencyActivationTime: DateTime;
  /** Seconds. */
  readonly emergencyDuration: number;
}

/** How a limiter is set up. Thresholds have the type of the monitored value; durations are seconds. */
export interface LimiterSettings {
  readonly monitoredValue: AttributeReference;
  readonly thresholdNormal: Data;
  readonly thresholdEmergency: Data;
  readonly minOverThresholdDuration: number;
  readonly minUnderThresholdDuration: number;
  readonly emergencyProfile?: EmergencyProfile;
  readonly emergencyProfileGroupIdList: readonly number[];
  readonly actionOverThreshold: ScriptReference;
  readonly actionUnderThreshold: ScriptReference;
}

/** What a limiter is put together from. */
export interface LimiterParts {
  readonly settings: LimiterSettings;
  /** The monitored value now, as encoded Data; undefined where there is none. */
  readonly read: (monitored: AttributeReference) => Uint8Array | undefined;
  /** Runs a script. */
  readonly run: (script: ScriptReference) => void;
  /** The instant of a date-time of the meter, in milliseconds since 1970 UTC. */
  readonly instantOf: (time: DateTime) => number | undefined;
}

const NO_PROFILE: EmergencyProfile = {
  emergencyProfileId: 0,
  emergencyActivationTime: dateTime({}),
  emergencyDuration: 0,
};

/**
 * A limiter (class 71): runs a script when a value has been over its threshold for long enough, and another when it has
 * been under it for long enough.
 *
 * States: which side the value is on, since when, and whether the action of that side has run. The emergency threshold
 * counts while the emergency profile is active: from its activation time for its duration, if its id is in the list of
 * groups.
 */
export class LoadLimiter {
  readonly #parts: LimiterParts;
  #settings: LimiterSettings;
  #isOver: boolean | undefined;
  #since = 0;
  #hasActed = true;
  #emergency = false;

  constructor(parts: LimiterParts) {
    this.#parts = parts;
    this.#settings = parts.settings;
  }

  get settings(): LimiterSettings {
    return this.#settings;
  }

  set settings(settings: LimiterSettings) {
    this.#settings = settings;
  }

  get emergencyActive(): boolean {
    return this.#emergency;
  }

  get thresholdActive(): Data {
    return this.#emergency ? this.#settings.thresholdEmergency : this.#settings.thresholdNormal;
  }

  /** Lets time pass, in milliseconds since 1970 UTC. */
  tick(instant: number): void {
    this.#emergency = this.#isEmergency(instant);
    const octets = this.#parts.read(this.#settings.monitoredValue);
    const value = octets === undefined ? undefined : orderOfOctets(octets, 0);
    const threshold = orderOf(this.thresholdActive, 0);
    if (value === undefined || threshold === undefined) return;
    const isOver = value > threshold;
    if (isOver !== this.#isOver) {
      // Nothing was exceeded before the first comparison: being under then is no return to it.
      this.#hasActed = this.#isOver === undefined && !isOver;
      this.#isOver = isOver;
      this.#since = instant;
    }
    const { minOverThresholdDuration, minUnderThresholdDuration } = this.#settings;
    const wait = isOver ? minOverThresholdDuration : minUnderThresholdDuration;
    if (this.#hasActed || instant - this.#since < wait * 1000) return;
    this.#hasActed = true;
    this.#parts.run(isOver ? this.#settings.actionOverThreshold : this.#settings.actionUnderThreshold);
  }

  #isEmergency(instant: number): boolean {
    const { emergencyProfile: profile, emergencyProfileGroupIdList: groups } = this.#settings;
    if (profile === undefined || !groups.includes(profile.emergencyProfileId)) return false;
    const from = this.#parts.instantOf(profile.emergencyActivationTime);
    return from !== undefined && instant >= from && instant < from + profile.emergencyDuration * 1000;
  }
}

/** Serves class 71 from the limiter of a meter. */
export function serveLimiter<State>(
  limiterOf: (state: State, context: ServeContext) => LoadLimiter,
): ServedClass<State> {
  const change = (part: Partial<LimiterSettings>, state: State, context: ServeContext): undefined => {
    const limiter = limiterOf(state, context);
    limiter.settings = { ...limiter.settings, ...part };
  };
  /** A threshold must be a number: anything else would never be exceeded. */
  const threshold =
    (name: "thresholdNormal" | "thresholdEmergency") => (value: Data, state: State, context: ServeContext) =>
      orderOf(value, 0) === undefined ? refuse("type-unmatched") : change({ [name]: value }, state, context);
  return Limiter.serve<State>({
    get: {
      monitoredValue: (state, context) => limiterOf(state, context).settings.monitoredValue,
      thresholdActive: (state, context) => limiterOf(state, context).thresholdActive,
      thresholdNormal: (state, context) => limiterOf(state, context).settings.thresholdNormal,
      thresholdEmergency: (state, context) => limiterOf(state, context).settings.thresholdEmergency,
      minOverThresholdDuration: (state, context) => limiterOf(state, context).settings.minOverThresholdDuration,
      minUnderThresholdDuration: (state, context) => limiterOf(state, context).settings.minUnderThresholdDuration,
      emergencyProfile: (state, context) => limiterOf(state, context).settings.emergencyProfile ?? NO_PROFILE,
      emergencyProfileGroupIdList: (state, context) => limiterOf(state, context).settings.emergencyProfileGroupIdList,
      emergencyProfileActive: (state, context) => limiterOf(state, context).emergencyActive,
      actions: (state, context) => {
        const { actionOverThreshold, actionUnderThreshold } = limiterOf(state, context).settings;
        return { actionOverThreshold, actionUnderThreshold };
      },
    },
    set: {
      monitoredValue: (monitoredValue, state, context) => change({ monitoredValue }, state, context),
      thresholdNormal: threshold("thresholdNormal"),
      thresholdEmergency: threshold("thresholdEmergency"),
      minOverThresholdDuration: (seconds, state, context) =>
        change({ minOverThresholdDuration: seconds }, state, context),
      minUnderThresholdDuration: (seconds, state, context) =>
        change({ minUnderThresholdDuration: seconds }, state, context),
      emergencyProfile: (emergencyProfile, state, context) => change({ emergencyProfile }, state, context),
      emergencyProfileGroupIdList: (list, state, context) =>
        change({ emergencyProfileGroupIdList: list }, state, context),
      actions: (actions, state, context) => change(actions, state, context),
    },
  });
}
