import { toHex } from "@meterkeep/dlms";

/** One APDU that travelled, or what came instead of one. */
export interface EvidenceStep {
  readonly direction: "sent" | "received";
  /** What it is, in words. */
  readonly label: string;
  /** The octets on the line, without the wrapper; empty for silence and for the end of a connection. */
  readonly octets: string;
  /** Until it came, for what was received. */
  readonly milliseconds?: number;
}

/** Long exchanges show their beginning and their end. */
const MOST_STEPS = 40;

/** Writes down what travels during one check. */
export class Evidence {
  readonly #steps: EvidenceStep[] = [];
  #left = 0;

  sent(label: string, octets: Uint8Array): void {
    this.#add({ direction: "sent", label, octets: toHex(octets) });
  }

  received(label: string, octets: Uint8Array | undefined, milliseconds: number): void {
    const rounded = Math.round(milliseconds * 10) / 10;
    const hex = octets === undefined ? "" : toHex(octets);
    this.#add({ direction: "received", label, octets: hex, milliseconds: rounded });
  }

  /** Says what the last step meant, once that is known. */
  explain(words: string): void {
    const last = this.#steps.pop();
    if (last !== undefined) this.#steps.push({ ...last, label: words });
  }

  /** The steps; of many, the first half and the last. */
  get steps(): readonly EvidenceStep[] {
    return [...this.#steps];
  }

  /** How many steps in the middle are not kept. */
  get leftOut(): number {
    return this.#left;
  }

  #add(step: EvidenceStep): void {
    this.#steps.push(step);
    if (this.#steps.length <= MOST_STEPS) return;
    this.#steps.splice(MOST_STEPS / 2, 1);
    this.#left += 1;
  }
}
