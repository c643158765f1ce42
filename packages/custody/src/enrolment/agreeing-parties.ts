import { fromHex, type SystemTitle, systemTitle } from "@meterkeep/dlms";
import { FIRST_SETUP, type MeterFile } from "../store/records.ts";
import { Agreeing } from "../takeover/agreeing.ts";
import type { ClientKeys } from "./client-keys.ts";
import { believedKeys, signingJournal } from "./identity.ts";
import type { MeterAuthority } from "./meter-authority.ts";

/** What makes the two sides of an agreement known to each other. */
export interface AgreeingDependencies {
  readonly clientKeys: Pick<ClientKeys, "pairs">;
  readonly identities: Pick<MeterAuthority, "standing">;
  readonly clientTitle: (utility: string) => SystemTitle;
}

/** The public keys that a meter has proven to sign with, as long as their certificates stand; none where there is nobody to agree with. */
async function provenSigning(
  { identities }: Pick<AgreeingDependencies, "identities">,
  file: MeterFile,
): Promise<{ readonly suite: 1 | 2; readonly believed: readonly Uint8Array[] } | undefined> {
  const journal = signingJournal(file);
  if (journal === undefined) return undefined;
  // What it agrees with and calls over TLS with has no part in this.
  const signing = { ...journal.believed, keyAgreement: [], tls: [] };
  const standing = await identities.standing(systemTitle(fromHex(file.meter.systemTitle)), signing);
  const believed = believedKeys({ believed: standing }).digitalSignature;
  return believed.length === 0 ? undefined : { suite: journal.suite, believed };
}

/** Whether a master could be agreed on with a meter now. */
export async function canAgree(
  dependencies: Pick<AgreeingDependencies, "identities">,
  file: MeterFile,
): Promise<boolean> {
  return (await provenSigning(dependencies, file)) !== undefined;
}

/** Our side towards a meter that has proven its signing key, as long as its certificate stands. */
export async function agreeingWith(
  { clientKeys, identities, clientTitle }: AgreeingDependencies,
  file: MeterFile,
): Promise<Agreeing | undefined> {
  const proven = await provenSigning({ identities }, file);
  if (proven === undefined) return undefined;
  const { suite, believed } = proven;
  const { digitalSignature } = await clientKeys.pairs(file.meter, suite);
  return new Agreeing({
    suite,
    signing: digitalSignature.privateKey,
    believed,
    client: clientTitle(file.meter.utility),
    server: systemTitle(fromHex(file.meter.systemTitle)),
    setup: FIRST_SETUP,
  });
}
