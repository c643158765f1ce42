import type { CustodianRequest, CustodianResponse, Exposure } from "@meterkeep/api/custodian";
import { fromHex, systemTitle, systemTitleText } from "@meterkeep/dlms";
import type { LedgerEntry } from "@meterkeep/ledger";
import { BACKUP_CREATED, type BackupFacts } from "../backup/manifest.ts";
import { CallRefusal } from "../calls/call-refusal.ts";
import { DEPARTED } from "../departure/departures.ts";
import type { CheckedFiles } from "../records/checked-files.ts";
import type { MeterFile, MeterStanding } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import { CARRIED_KINDS, ofCarried } from "./carried.ts";
import { BROUGHT_KINDS, ofHeld, overSince } from "./held.ts";
import { type LeasedOf, leasedMeters, ofLeased } from "./leased.ts";

/** What the exposure ledger is read from. */
export interface ExposureDependencies {
  readonly store: Pick<CustodyStore, "ledger">;
  readonly files: Pick<CheckedFiles, "load" | "nextPage">;
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
 * follows from the ledger and from the meter's own record, so that nobody can leave something out of it: a meter whose record is not
 * what custody has written is named as one of which nobody knows. Page by page, in the order of meters: nothing is left out because
 * there is much.
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
  return ofPerson(dependencies, told, person, from);
}

async function ofPerson(
  { store, files }: ExposureDependencies,
  told: Told,
  person: string,
  from: CustodianRequest<"exposure">["from"],
): Promise<CustodianResponse<"exposure">> {
  const isMeant = ({ who }: Exposure): boolean => who.toLowerCase().includes(person.toLowerCase());
  const page = new Page();
  let after = from?.after && systemTitleText(from.after);
  let skip = from?.rows ?? 0;
  for (let looked = 0; looked < MOST_METERS; ) {
    const { files: known, refused, last } = await files.nextPage([], after, PAGE);
    const rows = await rowsOf(store, known, told);
    const byTitle = new Map(known.map(({ meter }, at) => [meter.systemTitle, rows[at]?.filter(isMeant) ?? []]));
    for (const title of refused) byTitle.set(title, [ofRefused(title)]);
    for (const title of [...byTitle.keys()].sort()) {
      const left = page.take(byTitle.get(title) ?? [], skip);
      if (left !== undefined) return page.response(left, after);
      [after, skip] = [title, 0];
    }
    if (last === undefined) return page.response(undefined, undefined);
    looked += byTitle.size;
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
  const told =
    titles.length === 0 ? [] : await ledger.ofMeters(titles, [...Object.values(CARRIED_KINDS), ...BROUGHT_KINDS]);
  return files.map((file) => {
    const title = file.meter.systemTitle;
    const lent = leased.get(title) ?? [];
    return [
      ...ofHeld(file, told),
      ...ofEscrow(file),
      ...ofOwners(
        file,
        owners.filter(({ meter }) => meter === title),
      ),
      ...ofLeased(file, lent),
      ...ofCarried(
        file,
        told.filter(({ kind, meter }) => !BROUGHT_KINDS.includes(kind) && meter === title),
        lent,
      ),
      ...ofBackups(backups, file),
    ];
  });
}

/** A meter whose record somebody else has written: whoever is asked about may be left out of it. */
function ofRefused(meter: string): Exposure {
  const why =
    "the meter's record is not what custody has written, so that it does not say: `record-refused` in the ledger";
  return { meter, who: "nobody knows", as: "unknown", keys: "all that it ever had", form: "clear", from: 0, why };
}

/**
 * Who was given a meter with the keys that are on it: they stay his until he has changed them, which we do not hear of, or it has come
 * back and was taken over anew.
 */
function ofOwners(file: MeterFile, departed: readonly LedgerEntry[]): Exposure[] {
  return departed.flatMap(({ at, body, meter }): Exposure[] => {
    const said = JSON.parse(body) as { how: MeterStanding; to?: string; again: boolean; approvedBy?: string[] };
    const { how, to, again, approvedBy = [] } = said;
    if (meter === undefined || to === undefined || again) return [];
    const agreed = approvedBy.length === 0 ? "" : `, as ${approvedBy.join(" and ")} agreed`;
    const why = `${how === "returned" ? "it was given back with them" : "it was given to another owner with them"}${agreed}`;
    const until = overSince(file, at);
    return [
      {
        meter,
        who: to,
        as: "other owner",
        keys: "all that were on it",
        form: "clear",
        from: at,
        ...(until !== undefined && { until }),
        why,
      },
    ];
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
