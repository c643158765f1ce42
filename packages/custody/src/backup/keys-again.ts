import type { KeyState } from "@meterkeep/api/custodian";
import { CustodyError } from "../errors.ts";
import { stateChange } from "../keys/key-state-change.ts";
import { mayBecome } from "../keys/key-transition.ts";
import { purposeName } from "../keys/purposes.ts";
import type { CheckedFiles } from "../records/checked-files.ts";
import type { Committer } from "../store/committer.ts";
import { type KeyRecord, type MeterFile, PURPOSE, type Purpose } from "../store/records.ts";
import { CAUSE_RISK } from "../store/rotation-cause.ts";
import type { CustodyStore } from "../store/store.ts";
import { isLost, type KeyChange, SUSPENDED } from "./withdrawals.ts";

/** Meters of one step: so many are read and written together. */
export const KEYS_AGAIN_PAGE = 500;

/** What keys are taken out of use again with. */
export interface KeysAgainDependencies {
  readonly rotations: Pick<CustodyStore["rotations"], "plan">;
  readonly files: Pick<CheckedFiles, "loadPage">;
  readonly committer: Pick<Committer, "submit">;
  readonly now: () => number;
}

/** What a page came to. */
export interface KeysAgain {
  /** Meters of which keys were taken out of use again. */
  readonly again: number;
  /** Why others were not, a sentence a meter. */
  readonly left: readonly string[];
}

/** Which keys of a meter go to which state. */
export type WantedStates = ReadonlyMap<string, readonly KeyChange[]>;

/**
 * Takes keys out of use again that were compromised or suspended before the database was put back, a page of meters in one
 * commit, and plans successors of those that are compromised. Those that are out of use stay as they are.
 */
export async function keysAgain(
  { rotations, files, committer, now }: KeysAgainDependencies,
  wanted: WantedStates,
): Promise<KeysAgain> {
  const titles = [...wanted.keys()];
  const page = await files.loadPage(titles, undefined, titles.length);
  const known = new Set(page.map(({ meter }) => meter.systemTitle));
  const left = titles
    .filter((title) => !known.has(title))
    .map((title) => `meter ${title} is not in custody, or refused`);
  const found = page.map((file) => ({ file, ...fitting(file, wanted.get(file.meter.systemTitle) ?? []) }));
  left.push(...found.flatMap((one) => one.left));
  const lost = found.filter(({ compromised, suspended }) => compromised.length + suspended.length > 0);
  const commit = async (some: typeof lost): Promise<void> => {
    const at = now();
    const changes = some.flatMap(({ compromised, suspended }) => [
      stateChange(compromised, "compromised", "custodian", at, "compromised before a restore"),
      stateChange(suspended, SUSPENDED, "custodian", at, "suspended before a restore"),
    ]);
    await committer.submit({
      writes: changes.flatMap(({ writes }) => writes),
      // The journal has them: they are not noted anew.
      entries: changes
        .flatMap(({ entries }) => entries)
        .map((entry) => ({ ...entry, body: { ...(entry.body as object), restored: true } })),
    });
  };
  const done: MeterFile[] = [];
  const isConflict = (error: unknown) => error instanceof CustodyError && error.code === "custody-write-conflict";
  try {
    if (lost.length > 0) await commit(lost);
    done.push(...lost.map(({ file }) => file));
  } catch (error) {
    if (!isConflict(error)) throw error;
    // Something else has changed one of them meanwhile: the others do not wait for it.
    for (const one of lost)
      try {
        await commit([one]);
        done.push(one.file);
      } catch (refusal) {
        if (!isConflict(refusal)) throw refusal;
        left.push(`meter ${one.file.meter.systemTitle}: ${(refusal as Error).message}`);
      }
  }
  await planSuccessors(rotations, now(), lost);
  return { again: done.length, left };
}

function fitting({ meter, keys }: MeterFile, changes: readonly KeyChange[]) {
  const named = (to: (state: string) => boolean) => {
    const these = changes.filter((change) => to(change.to));
    return keys.filter((key) =>
      these.some(
        ({ purpose, setup, version }) =>
          purpose === purposeName(key.purpose) && setup === key.setup && version === key.version,
      ),
    );
  };
  const may = (to: KeyState) => (key: KeyRecord) => key.state !== "destroyed" && mayBecome(key.state, to);
  const suspended = named((to) => to === SUSPENDED);
  const stranded = suspended.filter(({ state }) => state === "pre-activation");
  return {
    compromised: named(isLost).filter(may("compromised")),
    suspended: suspended.filter(may(SUSPENDED)),
    left: stranded.map(
      ({ purpose, version }) =>
        `meter ${meter.systemTitle}: ${purposeName(purpose)} ${version} was suspended, and is not in use here yet`,
    ),
  };
}

async function planSuccessors(
  rotations: KeysAgainDependencies["rotations"],
  at: number,
  lost: readonly { readonly file: MeterFile; readonly compromised: readonly KeyRecord[] }[],
): Promise<void> {
  const groups = new Map<
    string,
    { readonly setup: number; readonly purposes: readonly Purpose[]; readonly meters: string[] }
  >();
  for (const { file, compromised } of lost) {
    const own = compromised.filter(({ purpose }) => purpose <= PURPOSE.KEK);
    for (const [setup, keys] of Map.groupBy(own, (key) => key.setup)) {
      const purposes = [...new Set(keys.map(({ purpose }) => purpose as Purpose))].sort();
      const name = `${setup}/${purposes.join()}`;
      const group = groups.get(name) ?? { setup, purposes, meters: [] };
      group.meters.push(file.meter.systemTitle);
      groups.set(name, group);
    }
  }
  for (const { setup, purposes, meters } of groups.values())
    await rotations.plan({
      meters,
      setups: setup,
      madeBefore: undefined,
      countAbove: undefined,
      purposes,
      cause: "compromise",
      risk: CAUSE_RISK.compromise,
      plannedBy: "restore",
      at,
      limit: meters.length,
    });
}
