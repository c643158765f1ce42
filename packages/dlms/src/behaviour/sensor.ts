import type { Infer } from "../codec/codec.ts";
import { encode } from "../codec/codec.ts";
import { SensorManager } from "../cosem/classes/sensor-manager.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import type { AttributeReference, ScalerUnit, ScriptReference } from "../cosem/structures.ts";
import { data } from "../data/data.ts";
import type { DateTime } from "../data/date-time.ts";
import type { Data } from "../data/value.ts";
import { ThresholdMonitor } from "./register-monitor.ts";

type Attributes = typeof SensorManager.attributes;
type Actions = Infer<Attributes["rawValueActions"]["codec"]>;

/** What stays the same of a sensor: its name plate and its seals. */
export interface SensorPlate {
  readonly serialNumber: Uint8Array;
  readonly metrologicalIdentification: Uint8Array;
  readonly outputType: number;
  readonly adjustmentMethod: Uint8Array;
  readonly sealingMethod: number;
  readonly scalerUnit: ScalerUnit;
}

/** What the sensor says now. */
export interface SensorReading {
  readonly rawValue: Data;
  readonly status: Data;
  readonly captureTime: DateTime;
}

/** Thresholds with what runs when they are crossed, of the raw or of the processed value. */
export interface SensorThresholds {
  readonly thresholds: readonly Data[];
  /** One set a threshold. */
  readonly actions: Actions;
}

/** What a watched sensor is put together from. */
export interface WatchedSensorParts {
  readonly plate: SensorPlate;
  readonly reading: () => SensorReading;
  readonly raw: SensorThresholds;
  readonly processed: SensorThresholds & { readonly value: AttributeReference };
  /** The processed value now, as encoded Data; undefined where there is none. */
  readonly read: (reference: AttributeReference) => Uint8Array | undefined;
  readonly run: (script: ScriptReference) => void;
}

/** The raw value has no reference: it is the sensor's own. */
const OWN_VALUE: AttributeReference = { classId: 67, logicalName: "0.0.0.0.0.0", attributeIndex: 7 };

/**
 * A sensor manager (class 67, Blue Book 4.5.11): a sensor with its seals, and two monitors that run scripts when its raw
 * value, or what has been made of it, crosses a threshold.
 */
export class WatchedSensor {
  readonly plate: SensorPlate;
  readonly raw: ThresholdMonitor;
  readonly processed: ThresholdMonitor;
  readonly #reading: () => SensorReading;

  constructor({ plate, reading, raw, processed, read, run }: WatchedSensorParts) {
    this.plate = plate;
    this.#reading = reading;
    this.raw = new ThresholdMonitor({
      settings: { ...raw, monitoredValue: OWN_VALUE },
      read: () => encode(data, reading().rawValue),
      run,
    });
    this.processed = new ThresholdMonitor({
      settings: { thresholds: processed.thresholds, actions: processed.actions, monitoredValue: processed.value },
      read,
      run,
    });
  }

  get reading(): SensorReading {
    return this.#reading();
  }

  /** Looks at both values. */
  look(): void {
    this.raw.look();
    this.processed.look();
  }
}

/** Serves class 67 from a sensor of the meter; its seals and its name plate cannot be written. */
export function serveSensorManager<State>(
  sensorOf: (state: State, context: ServeContext) => WatchedSensor,
): ServedClass<State> {
  const plate =
    <Name extends keyof SensorPlate>(name: Name) =>
    (state: State, context: ServeContext) =>
      sensorOf(state, context).plate[name];
  const change = (
    which: "raw" | "processed",
    part: Partial<ThresholdMonitor["settings"]>,
    state: State,
    context: ServeContext,
  ): void => {
    const monitor = sensorOf(state, context)[which];
    monitor.settings = { ...monitor.settings, ...part };
  };
  return SensorManager.serve<State>({
    get: {
      serialNumber: plate("serialNumber"),
      metrologicalIdentification: plate("metrologicalIdentification"),
      outputType: plate("outputType"),
      adjustmentMethod: plate("adjustmentMethod"),
      sealingMethod: plate("sealingMethod"),
      scalerUnit: plate("scalerUnit"),
      rawValue: (state, context) => sensorOf(state, context).reading.rawValue,
      status: (state, context) => sensorOf(state, context).reading.status,
      captureTime: (state, context) => sensorOf(state, context).reading.captureTime,
      rawValueThresholds: (state, context) => sensorOf(state, context).raw.settings.thresholds,
      rawValueActions: (state, context) => sensorOf(state, context).raw.settings.actions,
      processedValue: (state, context) => sensorOf(state, context).processed.settings.monitoredValue,
      processedValueThresholds: (state, context) => sensorOf(state, context).processed.settings.thresholds,
      processedValueActions: (state, context) => sensorOf(state, context).processed.settings.actions,
    },
    set: {
      rawValueThresholds: (thresholds, state, context) => change("raw", { thresholds }, state, context),
      rawValueActions: (actions, state, context) => change("raw", { actions }, state, context),
      processedValue: (monitoredValue, state, context) => change("processed", { monitoredValue }, state, context),
      processedValueThresholds: (thresholds, state, context) => change("processed", { thresholds }, state, context),
      processedValueActions: (actions, state, context) => change("processed", { actions }, state, context),
    },
  });
}
