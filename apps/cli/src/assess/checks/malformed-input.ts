import { fromHex, LineError } from "@meterkeep/dlms";
import { TransportError } from "@meterkeep/dlms-node";
import { type Check, fail, pass } from "../check.ts";
import { NotTestable } from "../not-testable.ts";

/** Octets that are no APDU, each of its own kind. */
const MALFORMED = [
  ["an AARQ that ends at once", "6001"],
  ["an AARQ whose length is longer than it", "607F"],
  ["an AARQ of a length in four octets", "6084FFFFFFFF"],
  ["an AARQ that holds itself", "6006BE0404026004"],
  ["a GET of a class that ends in the middle", "C001C10008"],
  ["an array of four thousand million items", "C101C10001000060010000FF02000184FFFFFFFF"],
  ["structures in each other", `C101C10001000060010000FF0200${"0201".repeat(60)}`],
  ["a ciphered APDU without content", "C8051000000000"],
  ["a block that is not the first", "E0C000090009050102030405"],
  ["nothing that is defined", "FFFFFFFF"],
] as const;

const PAUSE_MS = 250;

/** Garbage. */
export const malformedInput: Check = {
  id: "malformed-input",
  title: "Malformed APDUs leave the meter as it was",
  severity: "high",
  why: "What makes a meter stop makes all meters of its kind stop, one message each.",
  how: `${MALFORMED.length} malformed APDUs are sent, each on a connection of its own; after each the meter has to answer an AARQ of the public client as before.`,
  clause: "Green Book 9.4; CWE-20 (improper input validation)",
  async run(bench) {
    if (!(await answers())) throw new NotTestable("The meter does not answer an AARQ of the public client.");
    for (const [name, octets] of MALFORMED) {
      const probe = await bench.open(bench.publicSap);
      await probe.say(name, fromHex(octets));
      await probe[Symbol.asyncDispose]();
      if (!(await recovers())) return fail(`After ${name} the meter did not answer any more.`);
    }
    return pass(`The meter answered as before after each of ${MALFORMED.length} malformed APDUs.`);

    /** A meter may take the time it takes to give a broken connection up. */
    async function recovers(): Promise<boolean> {
      const { now, pause, patienceMilliseconds } = bench.parts;
      const begun = now();
      while (!(await answers())) {
        if (now() - begun >= patienceMilliseconds) return false;
        await pause(PAUSE_MS);
      }
      return true;
    }

    async function answers(): Promise<boolean> {
      try {
        const outcome = await bench.attempt(
          bench.plain({ kind: "none" }),
          "AARQ of the public client",
          bench.publicSap,
        );
        return outcome.kind !== "unanswered";
      } catch (error) {
        if (error instanceof TransportError || error instanceof LineError) return false;
        throw error;
      }
    }
  },
};
