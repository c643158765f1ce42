import type { EscrowedKey } from "../escrow/key-escrow.ts";
import { isSecret } from "../keys/purposes.ts";
import { CHILD, type KeyRecord, type MeterFile, PURPOSE, type Purpose, type SecretPurpose } from "../store/records.ts";
import { childWantedAnew } from "../takeover/child-change.ts";
import type { ByPurpose, Journal } from "../takeover/journal.ts";
import { secretWantedAnew } from "../takeover/secret-change.ts";

/** Nothing is proven any more that these keys of a security setup could have changed. */
export function believing(journal: Journal, file: MeterFile, keys: readonly EscrowedKey[], setup: number): Journal {
  const versions = (purpose: Purpose): number[] => versionsOf(keys, purpose, setup);
  const each = <T>(of: (purpose: Purpose) => T): ByPurpose<T> => ({ 0: of(0), 1: of(1), 2: of(2), 3: of(3) });
  const secrets = secretsBelieved(journal, file, keys);
  const children = childrenBelieved(journal, keys);
  return {
    ...journal,
    belief: each((purpose) => [...new Set([...versions(purpose), ...journal.belief[purpose]])]),
    nextVersion: each((purpose) => after(journal.nextVersion[purpose], versions(purpose))),
    ...(secrets !== undefined && { secrets }),
    ...(children !== undefined && { children }),
    proven: { working: false, master: false, oldMasterDead: false, oldDead: false },
    // Who carried them to the meter was lost: perhaps whoever could be recorded.
    exposed: journal.exposed || keys.some(({ purpose }) => purpose <= PURPOSE.KEK && purpose !== PURPOSE.GBEK),
    prepared: undefined,
    sent: undefined,
    contact: undefined,
    tries: [],
    notBefore: 0,
    verdict: "unknown",
  };
}

/** Secrets of clients that may be on the meter as well: they are set anew, since nobody can say which it is. */
function secretsBelieved(journal: Journal, file: MeterFile, keys: readonly EscrowedKey[]): Journal["secrets"] {
  const adopted = places(keys.filter(({ purpose }) => isSecret(purpose)));
  if (adopted.length === 0) return journal.secrets;
  const known = journal.secrets ?? [];
  const untouched = known.filter(
    (one) => !adopted.some((key) => key.purpose === one.purpose && key.setup === one.client),
  );
  const anew = adopted.map(({ purpose, setup: client }) => {
    const before = known.find((one) => one.purpose === purpose && one.client === client);
    const versions = versionsOf(keys, purpose, client);
    // Before a takeover has looked at them, what was shipped is on the meter.
    const shipped = before === undefined ? versionsOf(file.keys, purpose, client) : before.belief;
    const belief = [...new Set([...versions, ...shipped])];
    const nextVersion = after(before?.nextVersion ?? 2, versions);
    return secretWantedAnew({ ...before, purpose: purpose as SecretPurpose, client, belief, nextVersion });
  });
  return [...untouched, ...anew];
}

/** And keys of devices at its M-Bus channels. */
function childrenBelieved(journal: Journal, keys: readonly EscrowedKey[]): Journal["children"] {
  const adopted = places(keys.filter(({ purpose }) => purpose === CHILD.key));
  if (adopted.length === 0) return journal.children;
  const known = journal.children ?? [];
  const untouched = known.filter(({ channel }) => !adopted.some(({ setup }) => setup === channel));
  const anew = adopted.map(({ setup: channel }) => {
    const before = known.find((one) => one.channel === channel);
    const versions = versionsOf(keys, CHILD.key, channel);
    const belief = [...new Set([...versions, ...(before?.belief ?? [])])];
    return childWantedAnew({ channel, belief, nextVersion: after(before?.nextVersion ?? 1, versions) });
  });
  return [...untouched, ...anew];
}

/** The versions there are of a purpose at a setup, client or channel; the newest first. */
function versionsOf(keys: readonly Pick<KeyRecord, "purpose" | "setup" | "version">[], purpose: number, setup: number) {
  return keys
    .filter((key) => key.purpose === purpose && key.setup === setup)
    .map(({ version }) => version)
    .sort((a, b) => b - a);
}

/** Clients or channels, each once. */
function places(keys: readonly EscrowedKey[]): readonly EscrowedKey[] {
  return keys.filter(
    (key, at) => keys.findIndex(({ purpose, setup }) => purpose === key.purpose && setup === key.setup) === at,
  );
}

/** No version is made twice. */
const after = (next: number, versions: readonly number[]): number => Math.max(next, ...versions.map((one) => one + 1));
