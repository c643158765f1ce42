import type { Infer } from "../codec/codec.ts";
import { RegisterMonitor } from "../cosem/classes/register-monitor.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import type { AttributeReference, ScriptReference } from "../cosem/structures.ts";
import type { Data } from "../data/value.ts";
import { orderOf, orderOfOctets } from "./ordering.ts";

type Actions = Infer<typeof RegisterMonitor.attributes.actions.codec>;

/** How a register monitor is set up (Blue Book 4.5.7). */
export interface MonitorSettings {
  readonly thresholds: readonly Data[];
  readonly monitoredValue: AttributeReference;
  /** One set a threshold. */
  readonly actions: Actions;
}

/** What a monitor is put together from. */
export interface MonitorParts {
  readonly settings: MonitorSettings;
  /** The monitored value now, as encoded Data; undefined where there is none. */
  readonly read: (monitored: AttributeReference) => Uint8Array | undefined;
  readonly run: (script: ScriptReference) => void;
}

/**
 * A register monitor (class 21): runs a script when a value crosses a threshold, upwards or downwards.
 *
 * State: the value when it was last looked at; the first look runs nothing. A value that reaches a threshold has crossed
 * it upwards; one that falls below it, downwards.
 */
export class ThresholdMonitor {
  readonly #parts: MonitorParts;
  #settings: MonitorSettings;
  #before: number | undefined;

  constructor(parts: MonitorParts) {
    this.#parts = parts;
    this.#settings = parts.settings;
  }

  get settings(): MonitorSettings {
    return this.#settings;
  }

  set settings(settings: MonitorSettings) {
    this.#settings = settings;
    this.#before = undefined;
  }

  /** Looks at the value. */
  look(): void {
    const octets = this.#parts.read(this.#settings.monitoredValue);
    const value = octets === undefined ? undefined : orderOfOctets(octets, 0);
    const before = this.#before;
    if (value === undefined) return;
    this.#before = value;
    if (before === undefined) return;
    for (const [at, threshold] of this.#settings.thresholds.entries()) {
      const limit = orderOf(threshold, 0);
      const set = this.#settings.actions[at];
      if (limit === undefined || set === undefined) continue;
      if (before < limit && value >= limit) this.#parts.run(set.actionUp);
      else if (before >= limit && value < limit) this.#parts.run(set.actionDown);
    }
  }
}

/** Serves class 21 from a monitor of the meter. */
export function serveRegisterMonitor<State>(
  monitorOf: (state: State, context: ServeContext) => ThresholdMonitor,
): ServedClass<State> {
  const change = (part: Partial<MonitorSettings>, state: State, context: ServeContext): void => {
    const monitor = monitorOf(state, context);
    monitor.settings = { ...monitor.settings, ...part };
  };
  return RegisterMonitor.serve<State>({
    get: {
      thresholds: (state, context) => monitorOf(state, context).settings.thresholds,
      monitoredValue: (state, context) => monitorOf(state, context).settings.monitoredValue,
      actions: (state, context) => monitorOf(state, context).settings.actions,
    },
    set: {
      thresholds: (thresholds, state, context) => change({ thresholds }, state, context),
      monitoredValue: (monitoredValue, state, context) => change({ monitoredValue }, state, context),
      actions: (actions, state, context) => change({ actions }, state, context),
    },
  });
}
