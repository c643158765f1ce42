import { meterFacts } from "../protocol/meter-facts.ts";
import { FIRST_SETUP, furtherSetups, isNamed } from "../store/records.ts";
import type { Pace } from "./candidates.ts";
import { newestDefaults } from "./child-requests.ts";
import type { TakeoverRules } from "./moves.ts";
import { type ChangesFile, takenSetups } from "./view.ts";

/** What the machine is told of a meter for the change of one setup's keys. Secrets of clients, devices and what signs are the first's. */
export function rulesOf(file: ChangesFile & { readonly agreement: boolean }, setup: number, pace: Pace): TakeoverRules {
  const { meter, keys, agreement } = file;
  const { arrays, policy, secretClients } = meterFacts(meter.profile);
  if (setup !== FIRST_SETUP)
    return { arrays, policy, pace, secrets: [], children: [], agreement: false, further: undefined, hasFurther: false };
  const secrets = secretClients.map(({ purpose, clientSap: client }) => ({
    purpose,
    client,
    known: keys.some((key) => isNamed(key, { purpose, client, version: 1 })),
  }));
  const children = newestDefaults(keys).map(({ setup: channel }) => channel);
  const further = takenSetups(file).filter((one) => one !== FIRST_SETUP);
  const hasFurther = furtherSetups(file).length > 0;
  return { arrays, policy, pace, secrets, children, agreement, further, hasFurther };
}
