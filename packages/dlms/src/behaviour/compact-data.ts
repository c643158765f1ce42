import { concatBytes } from "../bytes.ts";
import { decode, encode } from "../codec/codec.ts";
import { CompactData } from "../cosem/classes/compact-data.ts";
import type { SelectedCaptureObject } from "../cosem/classes/selected-capture.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import { data } from "../data/data.ts";
import { DATA_TAGS, type Data } from "../data/value.ts";

/** How compact data is set up (Blue Book 4.3.10). */
export interface CompactDataSettings {
  readonly captureObjects: readonly SelectedCaptureObject[];
  readonly templateId: number;
  readonly captureMethod: "invoke" | "implicit";
}

/** Values without their types, and the types without the values: buffer and template. */
export interface CompactBuffer {
  readonly buffer: Uint8Array;
  /** A structure of the types of all values, as TypeDescription of a compact-array. */
  readonly template: Uint8Array;
}

/**
 * Takes values apart into what repeats and what does not. Strings keep their lengths in the buffer; elements of arrays
 * must all be of one type, which the template says once with their count.
 */
export function compact(values: readonly Data[]): CompactBuffer {
  const types = values.map(describe);
  return {
    buffer: concatBytes(...values.map(contents)),
    template: concatBytes(Uint8Array.of(DATA_TAGS.structure, values.length), ...types),
  };
}

function describe(value: Data): Uint8Array {
  const tag = DATA_TAGS[value.type];
  if (value.type === "structure")
    return concatBytes(Uint8Array.of(tag, value.value.length), ...value.value.map(describe));
  if (value.type !== "array") return Uint8Array.of(tag);
  const [first] = value.value;
  const count = value.value.length;
  return concatBytes(
    Uint8Array.of(tag, count >> 8, count & 0xff),
    first === undefined ? Uint8Array.of(DATA_TAGS["null-data"]) : describe(first),
  );
}

function contents(value: Data): Uint8Array {
  if (value.type === "structure" || value.type === "array") return concatBytes(...value.value.map(contents));
  // The first octet is the tag, which the template says.
  return encode(data, value).subarray(1);
}

/**
 * Compact data (class 62).
 *
 * State: settings and the last capture. With the implicit method every read captures anew.
 */
export class CompactCapture {
  readonly #capture: (object: SelectedCaptureObject) => Uint8Array;
  #settings: CompactDataSettings;
  #last: CompactBuffer = { buffer: new Uint8Array(0), template: Uint8Array.of(DATA_TAGS.structure, 0) };

  constructor(settings: CompactDataSettings, capture: (object: SelectedCaptureObject) => Uint8Array) {
    this.#settings = settings;
    this.#capture = capture;
  }

  get settings(): CompactDataSettings {
    return this.#settings;
  }

  set settings(settings: CompactDataSettings) {
    this.#settings = settings;
    this.reset();
  }

  reset(): void {
    this.#last = { buffer: new Uint8Array(0), template: Uint8Array.of(DATA_TAGS.structure, 0) };
  }

  capture(): void {
    this.#last = compact(this.#settings.captureObjects.map((object) => decode(data, this.#capture(object))));
  }

  /** The buffer and its template. */
  read(): CompactBuffer {
    if (this.#settings.captureMethod === "implicit") this.capture();
    return this.#last;
  }
}

/** Serves class 62, version 1, from a capture of the meter. */
export function serveCompactData<State>(
  captureOf: (state: State, context: ServeContext) => CompactCapture,
): ServedClass<State> {
  const change = (part: Partial<CompactDataSettings>, state: State, context: ServeContext): void => {
    const capture = captureOf(state, context);
    capture.settings = { ...capture.settings, ...part };
  };
  return CompactData.serve<State>({
    get: {
      compactBuffer: (state, context) => captureOf(state, context).read().buffer,
      captureObjects: (state, context) => captureOf(state, context).settings.captureObjects,
      templateId: (state, context) => captureOf(state, context).settings.templateId,
      templateDescription: (state, context) => captureOf(state, context).read().template,
      captureMethod: (state, context) => captureOf(state, context).settings.captureMethod,
    },
    set: {
      captureObjects: (captureObjects, state, context) => change({ captureObjects }, state, context),
      templateId: (templateId, state, context) => change({ templateId }, state, context),
      captureMethod: (captureMethod, state, context) => change({ captureMethod }, state, context),
    },
    call: {
      reset: (_, state, context) => captureOf(state, context).reset(),
      capture: (_, state, context) => captureOf(state, context).capture(),
    },
  });
}
