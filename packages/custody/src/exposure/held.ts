import type { Exposure } from "@meterkeep/api/custodian";
import type { LedgerEntry } from "@meterkeep/ledger";
import { CHILD_INSTALLED } from "../child/install-child.ts";
import { isOfChild, isSecret, purposeName } from "../keys/purposes.ts";
import { METER_ADDED } from "../shipment/import.ts";
import { FIRST_SETUP, type KeyRecord, type MeterFile, PURPOSE } from "../store/records.ts";
import { setupGrades } from "../takeover/meter-state.ts";
import { canBeTakenOver } from "../takeover/view.ts";
import { nameOf, replacedAt } from "./carried.ts";

const ALL_SINCE = "all since the factory's, and the secrets of clients and keys of devices that went under them";

/** Kinds of the entries by which somebody brought keys of one meter, in clear to himself. */
export const BROUGHT_KINDS: readonly string[] = [METER_ADDED, CHILD_INSTALLED];

/**
 * Who had the keys that came from outside: with the shipment, by hand, or when the meter came back. Of one that came back the record
 * does not say which holder had which: each is told of all.
 */
export function ofHeld(file: MeterFile, told: readonly LedgerEntry[]): Exposure[] {
  const { systemTitle: meter, createdAt, holders } = file.meter;
  const batches = heldBatches(file.keys);
  const shipped = batches.filter((keys) => keys.some(isOfSetup));
  const rows = holders.flatMap((who) =>
    shipped.flatMap((keys, at) => {
      const why = at === 0 ? "held the factory's keys, by the shipment" : "held its keys when it came back";
      return rowsOf(meter, keys, file.keys, { who, as: "factory", why });
    }),
  );
  const brought = told
    .filter(({ kind, meter: of }) => of === meter && BROUGHT_KINDS.includes(kind))
    .flatMap(({ kind, principal, at }) => {
      const keys = kind === METER_ADDED ? shipped[0] : batches.find(([first]) => first?.createdAt === at);
      const of = { who: `who sealed them, by the ${principal}`, as: "added", why: "had them in clear" } as const;
      return rowsOf(meter, keys ?? [], file.keys, of);
    });
  if (!canBeTakenOver(file.meter)) return [...rows, ...brought];
  const why =
    "had the factory's master, and the change of keys went where it could be recorded: each master has carried the next";
  const carriers = setupGrades(file)
    .filter(({ grade }) => grade === "exposed")
    .flatMap(({ setup }) => {
      const own = (shipped.at(-1) ?? []).filter((key) => isOfSetup(key) && key.setup === setup);
      const from = goneAt(own, file.keys) ?? createdAt;
      const keys = setup === FIRST_SETUP ? ALL_SINCE : `all of security setup ${setup} since the factory's`;
      return holders.map((who): Exposure => ({ meter, who, as: "carrier", keys, form: "derivable", from, why }));
    });
  return [...rows, ...brought, ...carriers];
}

/** When whoever had the keys that a meter left with, or those that it came back with, had no key of it any more. */
export function overSince(file: MeterFile, leftAt: number): number | undefined {
  const back = heldBatches(file.keys).find((keys) => keys.some((key) => isOfSetup(key) && key.createdAt >= leftAt));
  return back && goneAt(back, file.keys);
}

/** Keys that came from outside, by when they came, the first first. */
function heldBatches(keys: readonly KeyRecord[]): readonly (readonly KeyRecord[])[] {
  const batches = Map.groupBy(
    keys.filter(({ origin }) => origin !== "generated"),
    ({ createdAt }) => createdAt,
  );
  return [...batches].sort(([one], [other]) => one - other).map(([, batch]) => batch);
}

function rowsOf(
  meter: string,
  held: readonly KeyRecord[],
  all: readonly KeyRecord[],
  of: Pick<Exposure, "who" | "as" | "why">,
): Exposure[] {
  const row = (keys: string, from: number, until: number | undefined): Exposure => ({
    meter,
    ...of,
    keys,
    form: "clear",
    from,
    ...(until !== undefined && { until }),
  });
  // Each security setup by itself: its keys end with their own successors.
  const setups = Map.groupBy(
    held.filter(isOfSetup).sort((one, other) => one.setup - other.setup || one.purpose - other.purpose),
    ({ setup }) => setup,
  );
  const own = [...setups].flatMap(([setup, keys]) => {
    const names = keys.map(({ purpose, version }) => `${purposeName(purpose)} ${version}`).join(", ");
    const where = setup === FIRST_SETUP ? "" : ` of security setup ${setup}`;
    return keys.slice(0, 1).map(({ createdAt }) => row(`${names}${where}`, createdAt, goneAt(keys, all)));
  });
  const others = held
    .filter((key) => !isOfSetup(key))
    .map((key) => {
      const name = { purpose: key.purpose, version: key.version, client: key.setup };
      return row(nameOf(name), key.createdAt, replacedAt(all, name));
    });
  return [...own, ...others];
}

function isOfSetup({ purpose }: KeyRecord): boolean {
  return !isSecret(purpose) && !isOfChild(purpose);
}

/** When each of these had a proven successor; the broadcast key, which nothing proves, goes with the others. */
function goneAt(held: readonly KeyRecord[], all: readonly KeyRecord[]): number | undefined {
  const proven = held
    .filter((key) => isOfSetup(key) && key.purpose !== PURPOSE.GBEK)
    .map(({ setup, purpose, version }) =>
      Math.min(
        ...all
          .filter((key) => key.setup === setup && key.purpose === purpose && key.version > version)
          .flatMap(({ provenAt }) => provenAt ?? []),
      ),
    );
  const at = Math.max(...proven);
  return Number.isFinite(at) ? at : undefined;
}
