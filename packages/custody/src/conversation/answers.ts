import { DlmsError, openApdu } from "@meterkeep/dlms";
import { type AnswerName, answerNameOf, bearsName } from "./answer-name.ts";
import type { Association } from "./association.ts";
import type { Line } from "./line.ts";

/**
 * The answers of one contact's association: each is to the one request that was sealed last, and is taken once. Where
 * anybody else has had a turn on the meter's line since the contact began, an authentic answer may be to something of
 * theirs: it is none then.
 */
export class Answers {
  readonly #association: Pick<Association, "parties">;
  readonly #line: Pick<Line, "isAlone" | "accept" | "proven">;
  #awaited: AnswerName | undefined;

  constructor(association: Pick<Association, "parties">, line: Pick<Line, "isAlone" | "accept" | "proven">) {
    this.#association = association;
    this.#line = line;
  }

  /** The association was made: counters that were seen on the way. */
  begin(serverCounters: readonly number[]): void {
    this.#line.proven(serverCounters);
  }

  /** What is sealed next, whose answer is awaited. */
  await(request: Uint8Array): void {
    this.#awaited = answerNameOf(request);
  }

  /** The plain answer, where it is authentic and new. A plain exception-response is neither yes nor no: anybody can send one. */
  open(octets: Uint8Array): Uint8Array | undefined {
    const { parties } = this.#association;
    const awaited = this.#awaited;
    if (parties === undefined || awaited === undefined || !this.#line.isAlone) return undefined;
    try {
      const { plain, counter } = openApdu(parties, octets);
      if (counter === undefined || !bearsName(plain, awaited) || !this.#line.accept(counter)) return undefined;
      this.#awaited = undefined;
      return plain;
    } catch (error) {
      if (error instanceof DlmsError) return undefined;
      throw error;
    }
  }
}
