import type { CustodianRequest, CustodianResponse, Exposure } from "@meterkeep/api/custodian";
import { fromHex, systemTitle, systemTitleText } from "@meterkeep/dlms";
import type { LedgerEntry } from "@meterkeep/ledger";
import { BACKUP_CREATED, type BackupFacts } from "../backup/manifest.ts";
import { CallRefusal } from "../calls/call-refusal.ts";
import { DEPARTED } from "../departure/departures.ts";
import type { CheckedFiles } from "../records/checked-files.ts";
import { type MeterFile, type MeterStanding, PURPOSE } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import { canBeTakenOver, takeoverStateOf } from "../takeover/view.ts";
import { CARRIED_KINDS, ofCarried } from "./carried.ts";
import { type LeasedOf, leasedMeters, ofLeased } from "./leased.ts";

/** What the exposure ledger is read from. */
export interface ExposureDependencies {
  readonly store: Pick<CustodyStore, "ledger" | "loadPage">;
  readonly files: Pick<CheckedFiles, "load">;
}

/** Rows of a page, and the octets that they may have as JSON. */
const MOST_ROWS = 1500;
const MOST_OCTETS = 700_000;
/** Meters that are read at once, and that one call looks through at most. */
const PAGE = 200;
const MOST_METERS = 10_000;

/**
 * Who could have seen which keys of a meter, ever, or which meters' keys a person could have seen: all who held its shipment
 * on the way, who could derive what came after, who carried a secret, technicians, who opens backups. It is not kept apart: it
 * follows from the ledger and from the meter's own record, so that nobody can leave something out of it. Page by page, in the
 * order of meters: nothing is left out because there is much.
 */
export async function exposures(
  dependencies: ExposureDependencies,
  { meter, person, from }: CustodianRequest<"exposure">,
): Promise<CustodianResponse<"exposure">> {
  const skip = from?.rows ?? 0;
  const told = await toldIn(dependencies.store.ledger);
  if (meter !== undefined) {
    const title = systemTitleText(meter);
    const file = await dependencies.files.load(title);
    if (file === undefined) throw new CallRefusal("unknown-meter", `meter ${title} is not in custody`);
    const [rows] = await rowsOf(dependencies.store, [file], told);
    const page = new Page();
    return page.response(page.take(rows as readonly Exposure[], skip) ?? undefined, undefined);
  }
  if (person === undefined) throw new CallRefusal("request-malformed", "name a meter or a person");
  return ofPerson(dependencies.store, told, person, from);
}

async function ofPerson(
  store: ExposureDependencies["store"],
  told: Told,
  person: string,
  from: CustodianRequest<"exposure">["from"],
): Promise<CustodianResponse<"exposure">> {
  const isMeant = ({ who }: Exposure): boolean => who.toLowerCase().includes(person.toLowerCase());
  const page = new Page();
  let after = from?.after && systemTitleText(from.after);
  let skip = from?.rows ?? 0;
  for (let looked = 0; looked < MOST_METERS; ) {
    const files = await store.loadPage([], after, PAGE);
    const rows = await rowsOf(store, files, told);
    for (const [at, { meter }] of files.entries()) {
      const left = page.take((rows[at] as readonly Exposure[]).filter(isMeant), skip);
      if (left !== undefined) return page.response(left, after);
      [after, skip] = [meter.systemTitle, 0];
    }
    if (files.length < PAGE) return page.response(undefined, undefined);
    looked += files.length;
  }
  return page.response(0, after);
}

/** Rows up to what a page holds. */
class Page {
  readonly #rows: Exposure[] = [];
  #octets = 0;

  /** Takes the rows of one meter behind the first few; where not all have room, gives how many of them are given by then. */
  take(rows: readonly Exposure[], skip: number): number | undefined {
    for (const [at, row] of [...rows].sort((a, b) => a.from - b.from).entries()) {
      if (at < skip) continue;
      const octets = Buffer.byteLength(JSON.stringify(row)) + 1;
      if (this.#rows.length >= MOST_ROWS || this.#octets + octets > MOST_OCTETS) return at;
      this.#octets += octets;
      this.#rows.push(row);
    }
    return undefined;
  }

  /** The page, and where to go on where there is more. */
  response(rows: number | undefined, after: string | undefined): CustodianResponse<"exposure"> {
    const exposures = JSON.stringify(this.#rows);
    if (rows === undefined) return { exposures };
    return { exposures, next: { rows, ...(after !== undefined && { after: systemTitle(fromHex(after)) }) } };
  }
}

/** What the ledger says of all meters, read once a call. */
interface Told {
  readonly leased: ReadonlyMap<string, LeasedOf>;
  readonly owners: readonly LedgerEntry[];
  readonly backups: readonly BackupFacts[];
}

async function toldIn(ledger: ExposureDependencies["store"]["ledger"]): Promise<Told> {
  const backups = await ledger.ofKinds([BACKUP_CREATED]);
  return {
    leased: await leasedMeters(ledger),
    owners: await ledger.ofKinds([DEPARTED]),
    backups: backups.map(({ body }) => JSON.parse(body) as BackupFacts),
  };
}

/** The rows of meters, each one's by itself. */
async function rowsOf(
  { ledger }: Pick<ExposureDependencies["store"], "ledger">,
  files: readonly MeterFile[],
  { leased, owners, backups }: Told,
): Promise<readonly (readonly Exposure[])[]> {
  const titles = files.map(({ meter }) => meter.systemTitle);
  const carried = titles.length === 0 ? [] : await ledger.ofMeters(titles, Object.values(CARRIED_KINDS));
  return files.map((file) => {
    const title = file.meter.systemTitle;
    const lent = leased.get(title) ?? [];
    return [
      ...ofMeter(file),
      ...ofEscrow(file),
      ...ofOwners(owners.filter(({ meter }) => meter === title)),
      ...ofLeased(file, lent),
      ...ofCarried(
        file,
        carried.filter(({ meter }) => meter === title),
        lent,
      ),
      ...ofBackups(backups, file),
    ];
  });
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
    return [factory, { ...common, from: gone ?? createdAt, as: "carrier", keys: ALL_SINCE, form: "derivable", why }];
  });
}

const ALL_SINCE = "all since the factory's, and the secrets of clients and keys of devices that went under them";

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

/** Who was given a meter with the keys that are on it: they stay his until he has changed them, which we do not hear of. */
function ofOwners(departed: readonly LedgerEntry[]): Exposure[] {
  return departed.flatMap(({ at, body, meter }): Exposure[] => {
    const said = JSON.parse(body) as { how: MeterStanding; to?: string; again: boolean; approvedBy?: string[] };
    const { how, to, again, approvedBy = [] } = said;
    if (meter === undefined || to === undefined || again) return [];
    const agreed = approvedBy.length === 0 ? "" : `, as ${approvedBy.join(" and ")} agreed`;
    const why = `${how === "returned" ? "it was given back with them" : "it was given to another owner with them"}${agreed}`;
    return [{ meter, who: to, as: "other owner", keys: "all that were on it", form: "clear", from: at, why }];
  });
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

function ofBackups(backups: readonly BackupFacts[], { meter }: MeterFile): Exposure[] {
  const first = new Map<string, number>();
  for (const { recipients, createdAt } of backups)
    if (createdAt >= meter.createdAt)
      for (const { name } of recipients) if (!first.has(name)) first.set(name, createdAt);
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
