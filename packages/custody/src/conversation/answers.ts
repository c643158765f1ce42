import { DlmsError, openApdu } from "@meterkeep/dlms";
import { accepted, type ReceiveWindow } from "../protocol/receive-window.ts";
import type { Association } from "./association.ts";

/**
 * The answers of one association, each taken once: nothing below the meter's proof, which answered a fresh challenge, so
 * that nothing recorded earlier passes.
 */
export class Answers {
  readonly #association: Pick<Association, "parties">;
  #floor = 0;
  #window: ReceiveWindow | undefined;

  constructor(association: Pick<Association, "parties">) {
    this.#association = association;
  }

  /** The association was made: counters that were seen on the way. */
  begin(serverCounters: readonly number[]): void {
    this.#floor = Math.max(0, ...serverCounters);
  }

  /** The plain answer, where it is authentic and new. A plain exception-response is neither yes nor no: anybody can send one. */
  open(octets: Uint8Array): Uint8Array | undefined {
    const { parties } = this.#association;
    if (parties === undefined) return undefined;
    try {
      const { plain, counter } = openApdu(parties, octets);
      if (counter === undefined || counter <= this.#floor) return undefined;
      const window = accepted(this.#window, counter);
      if (window === undefined) return undefined;
      this.#window = window;
      return plain;
    } catch (error) {
      if (error instanceof DlmsError) return undefined;
      throw error;
    }
  }
}
