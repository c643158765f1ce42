import { concatBytes, NO_BYTES } from "../bytes.ts";
import { decode, encode } from "../codec/codec.ts";
import { ParameterMonitor } from "../cosem/classes/parameter-monitor.ts";
import { encodedData } from "../cosem/encoded-data.ts";
import { refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import type { AttributeReference } from "../cosem/structures.ts";
import { data } from "../data/data.ts";
import { type DateTime, dateTime } from "../data/date-time.ts";
import { type Data, NULL_DATA } from "../data/value.ts";

/** What a parameter monitor needs of the meter. */
export interface ParameterMonitorParts {
  readonly parameters: readonly AttributeReference[];
  readonly listName: Uint8Array;
  /** The number of the hash algorithm, as the companion specification has it. */
  readonly hashAlgorithm: number;
  readonly digest: (octets: Uint8Array) => Uint8Array;
  readonly read: (parameter: AttributeReference) => Uint8Array | undefined;
}

/**
 * Watches parameters of the meter (class 65): which one was changed last, when, and a digest over them all.
 *
 * State: the list, and the last change that `changed` was told of.
 */
export class ParameterWatch {
  readonly #parts: ParameterMonitorParts;
  #parameters: readonly AttributeReference[];
  #changed: { readonly parameter: AttributeReference; readonly value: Data } | undefined;
  #captureTime: DateTime = dateTime({});

  constructor(parts: ParameterMonitorParts) {
    this.#parts = parts;
    this.#parameters = parts.parameters;
  }

  get parameters(): readonly AttributeReference[] {
    return this.#parameters;
  }

  get captureTime(): DateTime {
    return this.#captureTime;
  }

  get lastChange(): { readonly parameter: AttributeReference; readonly value: Data } | undefined {
    return this.#changed;
  }

  get listName(): Uint8Array {
    return this.#parts.listName;
  }

  get hashAlgorithm(): number {
    return this.#parts.hashAlgorithm;
  }

  /** A parameter has been written; others than those of the list do not matter. */
  changed(parameter: AttributeReference, value: Uint8Array, time: DateTime): void {
    if (!this.#parameters.some((one) => isSame(one, parameter))) return;
    this.#changed = { parameter, value: decode(data, value) };
    this.#captureTime = time;
  }

  add(parameter: AttributeReference): void {
    if (!this.#parameters.some((one) => isSame(one, parameter))) this.#parameters = [...this.#parameters, parameter];
  }

  /** False where the list has no such parameter. */
  remove(parameter: AttributeReference): boolean {
    const left = this.#parameters.filter((one) => !isSame(one, parameter));
    const done = left.length < this.#parameters.length;
    this.#parameters = left;
    return done;
  }

  /** The values of all parameters in the order of the list; null-data where there is none. */
  values(): Uint8Array[] {
    return this.#parameters.map((parameter) => this.#parts.read(parameter) ?? encode(data, NULL_DATA));
  }

  digest(): Uint8Array {
    return this.#parameters.length === 0 ? NO_BYTES : this.#parts.digest(concatBytes(...this.values()));
  }
}

/** Serves class 65, version 1. */
export function serveParameterMonitor<State>(
  watchOf: (state: State, context: ServeContext) => ParameterWatch,
): ServedClass<State> {
  return ParameterMonitor.serve<State>({
    get: {
      changedParameter: (state, context) => {
        const change = watchOf(state, context).lastChange;
        const parameter = change?.parameter ?? { classId: 0, logicalName: "0.0.0.0.0.0", attributeIndex: 0 };
        return { ...parameter, attributeValue: change?.value ?? NULL_DATA };
      },
      captureTime: (state, context) => watchOf(state, context).captureTime,
      parameterList: (state, context) => watchOf(state, context).parameters,
      parameterListName: (state, context) => watchOf(state, context).listName,
      hashAlgorithmId: (state, context) => watchOf(state, context).hashAlgorithm,
      parameterValueDigest: (state, context) => watchOf(state, context).digest(),
      parameterValues: (state, context) => {
        const values = watchOf(state, context).values();
        return encodedData(encode(data, { type: "structure", value: values.map((octets) => decode(data, octets)) }));
      },
    },
    call: {
      addParameter: (parameter, state, context) => watchOf(state, context).add(parameter),
      deleteParameter: (parameter, state, context) =>
        watchOf(state, context).remove(parameter) ? undefined : refuse("other-reason"),
    },
  });
}

function isSame(a: AttributeReference, b: AttributeReference): boolean {
  return a.classId === b.classId && a.logicalName === b.logicalName && a.attributeIndex === b.attributeIndex;
}
