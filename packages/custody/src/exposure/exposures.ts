import type { CustodianRequest, CustodianResponse, Exposure } from "@meterkeep/api/custodian";
import { systemTitleText } from "@meterkeep/dlms";
import { BACKUP_CREATED, type BackupFacts } from "../backup/manifest.ts";
import { CallRefusal } from "../calls/call-refusal.ts";
import { DEPARTED } from "../departure/departures.ts";
import { readField } from "../lease/field-record.ts";
import { rotatedAt } from "../lease/lent-rotation.ts";
import type { CheckedFiles } from "../records/checked-files.ts";
import { type MeterFile, type MeterStanding, PURPOSE } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import { canBeTakenOver, takeoverStateOf } from "../takeover/view.ts";

/** What the exposure ledger is read from. */
export interface ExposureDependencies {
  readonly store: Pick<CustodyStore, "ledger" | "loadPage">;
  readonly files: Pick<CheckedFiles, "load">;
}

const MOST = 2000;
const PAGE = 200;

/**
 * Who could have seen which keys of a meter, ever, or which meters' keys a person could have seen: all who held its shipment
 * on the way, who could derive what came after, technicians, who opens backups. It is not kept apart: it follows from the
 * ledger and from the meter's own record, so that nobody can leave something out of it.
 */
export async function exposures(
  { store, files }: ExposureDependencies,
  { meter, person }: CustodianRequest<"exposure">,
): Promise<CustodianResponse<"exposure">> {
  if (meter !== undefined) {
    const title = systemTitleText(meter);
    const file = await files.load(title);
    if (file === undefined) throw new CallRefusal("unknown-meter", `meter ${title} is not in custody`);
    return said([
      ...ofMeter(file),
      ...ofEscrow(file),
      ...(await ofOwners(store, title)),
      ...(await ofField(store, files, title)),
      ...(await ofBackups(store, file)),
    ]);
  }
  if (person === undefined) throw new CallRefusal("request-malformed", "name a meter or a person");
  const isMeant = ({ who }: Exposure): boolean => who.toLowerCase().includes(person.toLowerCase());
  const found = [...(await ofField(store, files, undefined)), ...(await ofOwners(store, undefined))].filter(isMeant);
  for (let after: string | undefined; found.length < MOST; ) {
    const page = await store.loadPage([], after, PAGE);
    found.push(...page.flatMap(ofMeter).filter(isMeant));
    after = page.at(-1)?.meter.systemTitle;
    if (page.length < PAGE) break;
  }
  return said(found);
}

function said(found: readonly Exposure[]): CustodianResponse<"exposure"> {
  return { exposures: JSON.stringify([...found].sort((a, b) => a.from - b.from).slice(0, MOST)) };
}

function ofMeter(file: MeterFile): Exposure[] {
  const { systemTitle: meter, createdAt, holders } = file.meter;
  if (!canBeTakenOver(file.meter)) return [];
  const gone = firstProven(file);
  const until = gone === undefined ? {} : { until: gone };
  const { grade } = takeoverStateOf(file);
  return holders.flatMap((who): Exposure[] => {
    const common = { meter, who, from: createdAt } as const;
    const keys = "GUEK 1, GBEK 1, GAK 1, KEK 1";
    const factory: Exposure = {
      ...common,
      as: "factory",
      keys,
      form: "clear",
      ...until,
      why: "held the factory's keys, by the shipment",
    };
    if (grade !== "exposed") return [factory];
    const why =
      "had the factory's master, and the change of keys went where it could be recorded: each master has carried the next";
    return [
      factory,
      { ...common, from: gone ?? createdAt, as: "carrier", keys: "all since the factory's", form: "derivable", why },
    ];
  });
}

/** When every factory key had a proven successor. */
function firstProven({ keys }: MeterFile): number | undefined {
  const of = (purpose: number): number =>
    Math.min(
      ...keys
        .filter((key) => key.setup === 0 && key.purpose === purpose && key.version > 1)
        .flatMap(({ provenAt }) => provenAt ?? []),
    );
  const at = Math.max(of(PURPOSE.GUEK), of(PURPOSE.GAK), of(PURPOSE.KEK));
  return Number.isFinite(at) ? at : undefined;
}

async function ofField(
  { ledger }: ExposureDependencies["store"],
  files: ExposureDependencies["files"],
  title: string | undefined,
): Promise<Exposure[]> {
  const { leases } = await readField(ledger);
  const found: Exposure[] = [];
  for (const { terms, state } of leases.values())
    for (const leased of terms.meters) {
      if (title !== undefined && leased.meter !== title) continue;
      const until = rotatedAt(await files.load(leased.meter), leased);
      const { technician, handheld, lease, from } = terms;
      found.push({
        meter: leased.meter,
        who: state === "lost" ? `whoever has ${handheld} (of ${technician})` : `${technician} (${handheld})`,
        as: state === "lost" ? "handheld lost" : "technician",
        keys: `GUEK ${leased.GUEK}, GAK ${leased.GAK}`,
        form: "clear",
        from,
        ...(until !== undefined && { until }),
        why: `lease ${lease}, ${state}`,
      });
    }
  return found;
}

/** Who was given a meter with the keys that are on it: they stay his until he has changed them, which we do not hear of. */
async function ofOwners({ ledger }: ExposureDependencies["store"], title: string | undefined): Promise<Exposure[]> {
  const found: Exposure[] = [];
  for (const { at, body, meter } of await ledger.ofKinds([DEPARTED])) {
    const { how, to, again } = JSON.parse(body) as { how: MeterStanding; to?: string; again: boolean };
    if (meter === undefined || to === undefined || again || (title !== undefined && meter !== title)) continue;
    const why = how === "returned" ? "it was given back with them" : "it was given to another owner with them";
    found.push({ meter, who: to, as: "other owner", keys: "all that were on it", form: "clear", from: at, why });
  }
  return found;
}

/** Every key that was made here lies in the escrow before it is sent, as it lies in the vault. */
function ofEscrow({ meter: { systemTitle: meter }, keys }: MeterFile): Exposure[] {
  const made = keys.filter(({ origin }) => origin === "generated").map(({ createdAt }) => createdAt);
  if (made.length === 0) return [];
  return [
    {
      meter,
      who: "whoever has the escrow",
      as: "escrow",
      keys: "every key that was made here",
      form: "sealed",
      from: Math.min(...made),
      why: "each is appended to it before it is sent; the keys in it open under the vault's root alone",
    },
  ];
}

async function ofBackups({ ledger }: ExposureDependencies["store"], { meter }: MeterFile): Promise<Exposure[]> {
  const first = new Map<string, number>();
  for (const { body } of await ledger.ofKinds([BACKUP_CREATED])) {
    const { recipients, createdAt } = JSON.parse(body) as BackupFacts;
    if (createdAt < meter.createdAt) continue;
    for (const { name } of recipients) if (!first.has(name)) first.set(name, createdAt);
  }
  return [...first].map(
    ([who, from]): Exposure => ({
      meter: meter.systemTitle,
      who,
      as: "backup",
      keys: "all that were held at a backup",
      form: "sealed",
      from,
      why: "opens backups; the keys in them open under the vault's root alone",
    }),
  );
}
