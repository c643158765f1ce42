import type { Infer } from "../codec/codec.ts";
import { MeasurementDataMonitoring } from "../cosem/classes/measurement-data-monitoring.ts";
import { refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import type { ScalerUnit } from "../cosem/structures.ts";
import type { Data } from "../data/value.ts";

type TriggerSource = Infer<typeof MeasurementDataMonitoring.attributes.triggerSource.codec>;

/** What a recorder is put together from. */
export interface WaveformParts {
  /** Samples a second. */
  readonly samplingRate: number;
  readonly samplesBeforeTrigger: number;
  readonly samplesAfterTrigger: number;
  readonly scalerUnit: ScalerUnit;
  /** Microseconds of the meter's clock. */
  readonly now: () => bigint;
}

/** More than any meter keeps: whoever writes a larger count is refused. */
const MOST_SAMPLES = 65_536;
const NO_TRIGGER: TriggerSource = { triggerOrigin: "remote", triggerCause: 0 };

/**
 * What monitors measurements around a trigger (class 66): a ring of samples that stands still when enough have come after
 * the trigger.
 *
 * States: waiting (samples run through the ring), triggered (as many follow as are wanted), complete (nothing changes until
 * `reset`). `status` says which by 0, 1 and 2.
 */
export class WaveformRecorder {
  readonly #parts: WaveformParts;
  #before: number;
  #after: number;
  #samples: number[] = [];
  #missing: number | undefined;
  #source: TriggerSource = NO_TRIGGER;
  #triggeredAt = 0n;

  constructor(parts: WaveformParts) {
    this.#parts = parts;
    this.#before = parts.samplesBeforeTrigger;
    this.#after = parts.samplesAfterTrigger;
  }

  get samplingRate(): number {
    return this.#parts.samplingRate;
  }

  get scalerUnit(): ScalerUnit {
    return this.#parts.scalerUnit;
  }

  get window(): { readonly before: number; readonly after: number } {
    return { before: this.#before, after: this.#after };
  }

  get status(): 0 | 1 | 2 {
    return this.#missing === undefined ? 0 : this.#missing > 0 ? 1 : 2;
  }

  get source(): TriggerSource {
    return this.#source;
  }

  get triggeredAt(): bigint {
    return this.#triggeredAt;
  }

  /** The samples around the trigger, once they are complete. */
  get samples(): readonly number[] {
    return this.status === 2 ? this.#samples : [];
  }

  /** Takes one sample, at the sampling rate. */
  sample(value: number): void {
    if (this.#missing === 0) return;
    this.#samples.push(value);
    if (this.#missing !== undefined) this.#missing -= 1;
    else if (this.#samples.length > 2 * this.#before + 1) this.#samples = this.#samples.slice(-this.#before - 1);
  }

  /** trigger: by a client or by a script of the meter. False until the last one has been reset. */
  trigger(source: TriggerSource): boolean {
    if (this.#missing !== undefined) return false;
    this.#samples = this.#before === 0 ? [] : this.#samples.slice(-this.#before);
    this.#missing = this.#after;
    this.#source = source;
    this.#triggeredAt = this.#parts.now();
    return true;
  }

  reset(): void {
    this.#samples = [];
    this.#missing = undefined;
    this.#source = NO_TRIGGER;
    this.#triggeredAt = 0n;
  }

  /** Another window begins anew. False where it is too large. */
  change(before: number, after: number): boolean {
    if (before + after > MOST_SAMPLES) return false;
    this.#before = before;
    this.#after = after;
    this.reset();
    return true;
  }
}

/** Serves class 66 from a recorder of the meter; samples are 16-bit integers in a compact-array. */
export function serveMeasurementMonitoring<State>(
  recorderOf: (state: State, context: ServeContext) => WaveformRecorder,
): ServedClass<State> {
  return MeasurementDataMonitoring.serve<State>({
    get: {
      waveformData: (state, context): Data => ({
        type: "compact-array",
        value: {
          contents: "long",
          items: recorderOf(state, context).samples.map((value) => ({ type: "long", value })),
        },
      }),
      triggerTime: (state, context) => recorderOf(state, context).triggeredAt,
      triggerSource: (state, context) => recorderOf(state, context).source,
      status: (state, context) => recorderOf(state, context).status,
      samplingRate: (state, context) => recorderOf(state, context).samplingRate,
      numberOfSamplesBeforeTrigger: (state, context) => recorderOf(state, context).window.before,
      numberOfSamplesAfterTrigger: (state, context) => recorderOf(state, context).window.after,
      scalerUnit: (state, context) => recorderOf(state, context).scalerUnit,
    },
    set: {
      numberOfSamplesBeforeTrigger: (before, state, context) => {
        const recorder = recorderOf(state, context);
        return recorder.change(before, recorder.window.after) ? undefined : refuse("other-reason");
      },
      numberOfSamplesAfterTrigger: (after, state, context) => {
        const recorder = recorderOf(state, context);
        return recorder.change(recorder.window.before, after) ? undefined : refuse("other-reason");
      },
    },
    call: {
      reset: (_, state, context) => recorderOf(state, context).reset(),
      trigger: (_, state, context) =>
        recorderOf(state, context).trigger({ triggerOrigin: "remote", triggerCause: 0 })
          ? undefined
          : refuse("temporary-failure"),
    },
  });
}
