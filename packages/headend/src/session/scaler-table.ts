import type { Meter } from "../inventory/meter.ts";

/** How a register counts: `10^scaler` of the unit. */
export interface Scale {
  readonly scaler: number;
  /** Symbol; empty for a count. */
  readonly unit: string;
}

/** Kinds of meter remembered at most. */
const MAX_KINDS = 2_000;

/**
 * Scalers and units by kind of meter (profile, model and firmware) and object: meters of one kind count alike, so what one
 * of them said holds for all. Memory only: it is asked for again after a start.
 */
export class ScalerTable {
  readonly #kinds = new Map<string, Map<string, Scale>>();

  find(meter: Meter, obis: string): Scale | undefined {
    return this.#kinds.get(kindOf(meter))?.get(obis);
  }

  learn(meter: Meter, obis: string, scale: Scale): void {
    const kind = kindOf(meter);
    let scales = this.#kinds.get(kind);
    if (scales === undefined) {
      if (this.#kinds.size >= MAX_KINDS) this.#kinds.clear();
      scales = new Map();
      this.#kinds.set(kind, scales);
    }
    scales.set(obis, scale);
  }
}

function kindOf({ profile, model, firmware }: Meter): string {
  return `${profile}|${model ?? ""}|${firmware ?? ""}`;
}

/** `count` counts of a scale in its unit, without dust: 2345 counts of 10^-1 are 234.5. */
export function scaledValue(count: number, { scaler }: Scale): number {
  return scaler === 0 ? count : Number(`${count}e${scaler}`);
}
