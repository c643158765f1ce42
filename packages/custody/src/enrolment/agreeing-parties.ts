import { fromHex, type SystemTitle, systemTitle } from "@meterkeep/dlms";
import type { MeterFile } from "../store/records.ts";
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

/** Our side towards a meter that has proven its signing key, as long as its certificate stands. */
export async function agreeingWith(
  { clientKeys, identities, clientTitle }: AgreeingDependencies,
  file: MeterFile,
): Promise<Agreeing | undefined> {
  const journal = signingJournal(file);
  if (journal === undefined) return undefined;
  const { suite } = journal;
  const server = systemTitle(fromHex(file.meter.systemTitle));
  const believed = believedKeys({ believed: await identities.standing(server, journal.believed) }).digitalSignature;
  if (believed.length === 0) return undefined;
  const { digitalSignature } = await clientKeys.pairs(file.meter, suite);
  return new Agreeing({
    suite,
    signing: digitalSignature.privateKey,
    believed,
    client: clientTitle(file.meter.utility),
    server,
    setup: 0,
  });
}
