import { nodeRandom } from "@meterkeep/dlms-node";
import { Association } from "../conversation/association.ts";
import { keyClientOf, meterFacts } from "../protocol/meter-facts.ts";
import { unsealKeys, workingKeys } from "../protocol/meter-keys.ts";
import { clientTitles } from "../service/client-title.ts";
import { FIRST_SETUP, inSetup, type MeterFile, PURPOSE } from "../store/records.ts";
import { candidates } from "../takeover/candidates.ts";
import { journalOf } from "../takeover/view.ts";
import type { Vault } from "../vault/vault.ts";

/** A line to a meter, for one association. */
export interface MeterLine extends AsyncDisposable {
  /** Sends an APDU; gives the answer, undefined where there is none. */
  exchange(apdu: Uint8Array): Promise<Uint8Array | undefined>;
}

const COUNTERS_PER_ASSOCIATION = 3;
/** Meters lock up after a few refusals in a row. */
const MOST_TRIES = 3;

/**
 * Associates with a meter under the keys of a security setup that a restored custody believes in, the likeliest first, and no
 * further: nothing is read or changed. The counters are ones that the meter's custodian has set aside for this.
 *
 * @returns the versions that opened it, or undefined
 * @throws Error where the line could not be had or broke off: nothing is proven by that
 */
export async function proveMeter(
  parts: {
    readonly vault: Vault;
    readonly recipientKeyId: string;
    readonly connect: (clientSap: number, serverSap: number) => Promise<MeterLine>;
  },
  file: MeterFile,
  counters: { readonly first: number; readonly count: number },
  setup = FIRST_SETUP,
): Promise<{ readonly GUEK: number; readonly GAK: number } | undefined> {
  const { vault, recipientKeyId, connect } = parts;
  const facts = meterFacts(file.meter.profile);
  const clientSap = keyClientOf(facts, setup);
  if (clientSap === undefined) return undefined;
  const client = clientTitles(recipientKeyId)(file.meter.utility);
  let { first } = counters;
  for (const candidate of candidates(journalOf(file, setup).journal).slice(0, MOST_TRIES)) {
    if (first + COUNTERS_PER_ASSOCIATION > counters.first + counters.count) return undefined;
    const [unicast, authentication] = await unsealKeys(vault, file.keys, [
      inSetup({ purpose: PURPOSE.GUEK, version: candidate.GUEK }, setup),
      inSetup({ purpose: PURPOSE.GAK, version: candidate.GAK }, setup),
    ]);
    if (unicast === undefined || authentication === undefined) return undefined;
    const keys = workingKeys(unicast, authentication);
    using association = Association.secured(file.meter, facts, keys, client, nodeRandom);
    await using line = await connect(clientSap, facts.serverSap);
    const counter = first;
    first += COUNTERS_PER_ASSOCIATION;
    if (await associate(association, line, counter)) return candidate;
  }
  return undefined;
}

async function associate(association: Association, line: MeterLine, counter: number): Promise<boolean> {
  let effect = association.take({ kind: "associate", invocationCounter: counter });
  while (effect?.kind === "send") {
    const answer = await line.exchange(effect.apdu);
    if (answer === undefined) throw new Error("it did not answer");
    effect = association.take({ kind: "received", apdu: answer });
  }
  return effect?.kind === "established";
}
