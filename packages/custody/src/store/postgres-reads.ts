import {
  countingOnly,
  ENTRY_COLUMNS,
  ENTRY_JSON,
  type EntryJson,
  type ForeignEntries,
  type LedgerEntry,
  storedEntryOfJson,
} from "@meterkeep/ledger";
import type { Pool } from "pg";
import { MOST_ACCEPTED_MARKS, newestOfEach } from "./newest-marks.ts";
import { titleOctets } from "./postgres-writes.ts";
import type {
  AcceptedMark,
  CounterLine,
  CounterMark,
  EnrolmentRecord,
  KeyRecord,
  MeterFile,
  MeterRecord,
  MeterStanding,
  RotationRecord,
  SetupPlace,
  StateEntry,
  StoredCounter,
  StoredTakeover,
  TakeoverMark,
  WindowRecord,
} from "./records.ts";

interface MeterRow {
  readonly utility: string;
  readonly island: string;
  readonly title: string;
  readonly origin: "shipped" | "added";
  readonly logical_device_name: string;
  readonly serial_number: string;
  readonly model: string;
  readonly hardware_revision: string;
  readonly firmware: string;
  readonly profile: string;
  readonly security_suite: number;
  readonly manufacturer_flag: string;
  readonly manufacturer_name: string;
  readonly holders: readonly string[];
  readonly shipment: string | null;
  readonly shipment_line: number | null;
  readonly created_ms: string;
  readonly counter_floor: string;
  readonly standing: MeterStanding;
  readonly mac: Buffer | null;
  readonly anchors: readonly string[];
}

type KeyRow = readonly [
  setup: number,
  purpose: number,
  version: number,
  state: string,
  origin: string,
  sealed: string,
  createdAt: number,
  provenAt: number | null,
];
type TakeoverRow = readonly [
  setup: number,
  takeover: number,
  revision: number,
  journal: string,
  openedAt: number,
  closedAt: number | null,
  mac: string | null,
  subject: "keys" | "certificates",
];
type EnrolmentRow = readonly [
  enrolment: number,
  cause: EnrolmentRecord["cause"],
  risk: number,
  plannedAt: number,
  plannedBy: string,
  begunAt: number | null,
  endedAt: number | null,
  outcome: "enrolled" | "failed" | null,
  expiresAt: number | null,
];
type WindowRow = readonly [setup: number, keyVersion: number, highest: number, seen: string, mac: string | null];

type RotationRow = readonly [
  setup: number,
  rotation: number,
  cause: RotationRecord["cause"],
  purposes: RotationRecord["purposes"],
  risk: number,
  plannedAt: number,
  plannedBy: string,
  begunAt: number | null,
  endedAt: number | null,
  outcome: "proven" | "failed" | null,
];

interface FileRow extends MeterRow {
  readonly rotations: readonly RotationRow[] | null;
  readonly keys: readonly KeyRow[] | null;
  readonly takeovers: readonly TakeoverRow[] | null;
  readonly enrolment: EnrolmentRow | null;
  readonly marks: readonly EntryJson[] | null;
  readonly windows: readonly WindowRow[] | null;
  readonly accepted: readonly EntryJson[] | null;
  readonly history: readonly EntryJson[] | null;
}

const METER = `m.utility, m.island, upper(encode(m.system_title, 'hex')) as title, m.origin, m.logical_device_name,
  m.serial_number, m.model, m.hardware_revision, m.firmware, m.profile, m.security_suite, m.manufacturer_flag,
  m.manufacturer_name, m.holders, m.shipment, m.shipment_line, m.created_ms,
  m.counter_floor, m.standing, m.anchors, m.mac`;

const OWN = "where (x.utility, x.island, x.system_title) = (m.utility, m.island, m.system_title)";

const OF_METER = "meter = upper(encode(m.system_title, 'hex'))";
// Nearly every mark is of setup 0. Bodies are as `marks.ts` has them written; one that somebody has changed may be no JSON, and would
// break the whole statement where it is read as such.
const OF_FIRST_SETUP = `(body like '{"setup":0,%')`;
const SETUP = `substring(body from '^\\{"setup":([0-9]+),')`;

// Of the ledger what is as it was written, and of nobody else: what it says is judged here, by whole entries.
const COUNTS = countingOnly(3);
const entries = (where: string) => `select ${ENTRY_COLUMNS} from ledger where ${OF_METER} and ${where} ${COUNTS}`;

// One round trip a meter: opening a session reads all of this.
const FILES = `
  select ${METER},
    (select jsonb_agg(jsonb_build_array(setup, purpose, version, state, origin, encode(sealed, 'hex'), created_ms,
      proven_ms) order by setup, purpose, version) from meter_keys x ${OWN}) as keys,
    (select jsonb_agg(jsonb_build_array(setup, rotation, cause, purposes, risk, planned_ms, planned_by, begun_ms, ended_ms,
      outcome)) from (select distinct on (setup) * from rotations x ${OWN} order by setup, rotation desc) newest)
      as rotations,
    (select jsonb_agg(jsonb_build_array(setup, takeover, revision, journal, opened_ms, closed_ms,
      encode(mac, 'hex'), subject)) from (select distinct on (setup, subject) * from takeovers x ${OWN}
        order by setup, subject, takeover desc) newest) as takeovers,
    (select jsonb_build_array(enrolment, cause, risk, planned_ms, planned_by, begun_ms, ended_ms, outcome, expires_ms)
      from enrolments x ${OWN} order by enrolment desc limit 1) as enrolment,
    (select json_agg(${ENTRY_JSON}) from (
      (${entries(`kind = 'takeover-recorded' and ${OF_FIRST_SETUP}`)} order by sequence desc limit 1)
      union all
      (${entries(`kind = 'enrolment-recorded' and ${OF_FIRST_SETUP}`)} order by sequence desc limit 1)
      union all
      (select distinct on (kind, ${SETUP}) *
        from (${entries(`kind in ('takeover-recorded', 'enrolment-recorded') and not ${OF_FIRST_SETUP}`)}) others
        order by kind, ${SETUP}, sequence desc)) newest) as marks,
    (select jsonb_agg(jsonb_build_array(setup, key_version, highest, encode(seen, 'hex'), encode(mac, 'hex')))
      from receive_windows x ${OWN}) as windows,
    (select json_agg(${ENTRY_JSON} order by sequence desc)
      from (${entries("kind = 'counters-accepted'")} order by sequence desc limit ${MOST_ACCEPTED_MARKS}) newest) as accepted,
    (select json_agg(${ENTRY_JSON} order by sequence)
      from (${entries("kind in ('key-states-changed', 'meter-departed', 'meter-readmitted')")}) own) as history
  from meters m`;

/** The meters asked for, or all after `after`, with everything that belongs to them. */
export async function loadFiles(
  pool: Pool,
  foreign: ForeignEntries,
  titles: readonly string[],
  after: string | undefined,
  limit: number,
): Promise<MeterFile[]> {
  const { found, altered } = await standingRows(pool, foreign, titles, after, limit);
  return found.map((row) => ({ ...fileOf(withoutThose(row, altered)), ...alteredOf(entriesIn(row), altered) }));
}

/** What was changed may be anything: the meter is refused for it, and it is not read. */
function withoutThose(row: FileRow, altered: ReadonlySet<number>): FileRow {
  if (altered.size === 0) return row;
  const left = (among: readonly EntryJson[] | null) => among?.filter(([sequence]) => !altered.has(sequence)) ?? null;
  return { ...row, marks: left(row.marks), accepted: left(row.accepted), history: left(row.history) };
}

/** The entries of the ledger that meters are judged by, as the statement gives them that loads those meters. */
export async function entriesBehind(
  pool: Pool,
  foreign: ForeignEntries,
  titles: readonly string[],
): Promise<ReadonlyMap<string, readonly LedgerEntry[]>> {
  const { found } = await standingRows(pool, foreign, titles, undefined, titles.length);
  return new Map(
    found.map((row) => [row.title, entriesIn(row).map((entry) => storedEntryOfJson(entry).entry)] as const),
  );
}

function standingRows(
  pool: Pool,
  foreign: ForeignEntries,
  titles: readonly string[],
  after: string | undefined,
  limit: number,
) {
  const statement =
    titles.length > 0
      ? {
          name: "custody-files",
          text: `${FILES} where m.system_title = any($1::bytea[]) order by m.system_title limit $2`,
          values: [titles.map(titleOctets), limit],
        }
      : {
          text: `${FILES} where m.system_title > $1 order by m.system_title limit $2`,
          values: [titleOctets(after ?? ""), limit],
        };
  return foreign.standing(
    async (listed) => (await pool.query<FileRow>({ ...statement, values: [...statement.values, listed] })).rows,
    (rows) => rows.flatMap((row) => entriesIn(row).map(storedEntryOfJson)),
  );
}

function entriesIn({ marks, accepted, history }: FileRow): readonly EntryJson[] {
  return [...(marks ?? []), ...(accepted ?? []), ...(history ?? [])];
}

function alteredOf(
  among: readonly EntryJson[],
  altered: ReadonlySet<number>,
): { readonly altered?: readonly number[] } {
  const found = altered.size === 0 ? [] : among.map(([sequence]) => sequence).filter((one) => altered.has(one));
  return found.length === 0 ? {} : { altered: found };
}

export async function countMeters(pool: Pool, utility?: string): Promise<number> {
  const { rows } = await pool.query<{ count: string }>(
    "select count(*) from meters where standing = 'in-service' and ($1::text is null or utility = $1)",
    [utility ?? null],
  );
  return Number(rows[0]?.count);
}

// What a takeover ends with: a master of ours that the meter has shown to take.
const PROVEN = `m.standing = 'in-service' and m.origin = 'shipped' and exists (select from meter_keys k
  where k.system_title = m.system_title and k.setup = 0 and k.purpose = 3 and k.proven_ms is not null)`;

export async function countProvenMeters(pool: Pool, utility?: string): Promise<number> {
  const { rows } = await pool.query<{ count: string }>(
    `select count(*) from meters m where ${PROVEN} and ($1::text is null or m.utility = $1)`,
    [utility ?? null],
  );
  return Number(rows[0]?.count);
}

/** Draws among all rows alike, wherever they lie and whatever they say. */
export async function sampleProvenMeters(pool: Pool, meters: number): Promise<string[]> {
  const { rows } = await pool.query<{ title: string }>(
    `select upper(encode(m.system_title, 'hex')) as title from meters m where ${PROVEN} order by random() limit $1`,
    [meters],
  );
  return rows.map(({ title }) => title);
}

/** Meters of a shipment after line `from`. */
export async function shipmentMeters(
  pool: Pool,
  { utility, island, shipment }: { readonly utility: string; readonly island: string; readonly shipment: string },
  from: number,
  limit: number,
): Promise<MeterRecord[]> {
  const { rows } = await pool.query<MeterRow>(
    `select ${METER} from meters m where m.utility = $1 and m.island = $2 and m.shipment = $3 and m.shipment_line > $4
     order by m.shipment_line limit $5`,
    [utility, island, shipment, from, limit],
  );
  return rows.map(meterOf);
}

// The mark that counts is the newest of the setup: the index of marks gives it at once.
const COUNTER_LINE = `
  select
    (select jsonb_agg(jsonb_build_array(key_version, next, encode(mac, 'hex'))) from send_counters
      where (utility, island, system_title, setup) = ($1, $2, $3, $4)) as counters,
    (select ${ENTRY_JSON} from ledger where meter = $5 and kind = 'counters-reserved' and body like '{"setup":' || $4::int || ',%'
      ${countingOnly(6)} order by sequence desc limit 1) as mark`;

/** The send counters of a setup, and the ledger's newest mark of them. */
export async function counterLine(pool: Pool, foreign: ForeignEntries, place: SetupPlace): Promise<CounterLine> {
  const { utility, island, systemTitle, setup } = place;
  const { found, altered } = await foreign.standing(
    async (listed) => {
      const { rows } = await pool.query<{ counters: readonly CounterRow[] | null; mark: EntryJson | null }>({
        name: "custody-counter-line",
        text: COUNTER_LINE,
        values: [utility, island, titleOctets(systemTitle), setup, systemTitle, listed],
      });
      const [row] = rows;
      return { counters: row?.counters ?? [], mark: row?.mark ?? undefined };
    },
    ({ mark }) => (mark === undefined ? [] : [storedEntryOfJson(mark)]),
  );
  const { counters, mark } = found;
  return {
    counters: counters.map(
      ([keyVersion, next, mac]): StoredCounter => ({
        utility,
        island,
        systemTitle,
        setup,
        keyVersion,
        next,
        mac: octets(mac),
      }),
    ),
    mark: mark && !altered.has(mark[0]) ? bodyOf<CounterMark>(mark) : undefined,
    markedAt: mark?.[0],
    ...(mark && alteredOf([mark], altered)),
  };
}

type CounterRow = readonly [keyVersion: number, next: number, mac: string | null];

function octets(hex: string | null): Uint8Array | undefined {
  return hex === null ? undefined : new Uint8Array(Buffer.from(hex, "hex"));
}

function fileOf(row: FileRow): MeterFile {
  const meter = meterOf(row);
  const place = (setup: number): SetupPlace => ({
    utility: meter.utility,
    island: meter.island,
    systemTitle: meter.systemTitle,
    setup,
  });
  const journals = (row.takeovers ?? []).map(
    ([setup, takeover, revision, journal, openedAt, closedAt, mac, subject]): StoredTakeover => ({
      ...place(setup),
      ...(subject === "certificates" ? { subject } : {}),
      takeover,
      revision,
      journal,
      openedAt,
      closedAt: closedAt ?? undefined,
      mac: octets(mac),
    }),
  );
  return {
    meter,
    keys: (row.keys ?? []).map(
      ([setup, purpose, version, state, origin, sealed, createdAt, provenAt]) =>
        ({
          ...place(setup),
          purpose,
          version,
          state,
          origin,
          sealed: new Uint8Array(Buffer.from(sealed, "hex")),
          createdAt,
          provenAt: provenAt ?? undefined,
        }) as KeyRecord,
    ),
    rotations: (row.rotations ?? []).map(
      ([setup, rotation, cause, purposes, risk, plannedAt, plannedBy, begunAt, endedAt, outcome]): RotationRecord => ({
        ...place(setup),
        rotation,
        cause,
        purposes,
        risk,
        plannedAt,
        plannedBy,
        begunAt: begunAt ?? undefined,
        endedAt: endedAt ?? undefined,
        outcome: outcome ?? undefined,
      }),
    ),
    takeovers: journals.filter(({ subject }) => subject === undefined),
    enrolments: journals.filter(({ subject }) => subject !== undefined),
    enrolment: row.enrolment === null ? undefined : enrolmentOf(meter, row.enrolment),
    marks: (row.marks ?? []).map((mark) => bodyOf<TakeoverMark>(mark)),
    windows: (row.windows ?? []).map(
      ([setup, keyVersion, highest, seen, mac]): WindowRecord => ({
        ...place(setup),
        keyVersion,
        highest,
        seen: new Uint8Array(Buffer.from(seen, "hex")),
        ...(mac === null ? {} : { mac: octets(mac) }),
      }),
    ),
    accepted: newestOfEach(
      (row.accepted ?? []).map((mark) => ({ ...bodyOf<Omit<AcceptedMark, "at">>(mark), at: mark[1] })),
    ),
    history: (row.history ?? []).map((entry) => ({ kind: entry[2] as StateEntry["kind"], body: bodyOf(entry) })),
  };
}

function bodyOf<T>([, , , , , , , body]: EntryJson): T {
  return JSON.parse(body) as T;
}

function enrolmentOf(
  { utility, island, systemTitle }: MeterRecord,
  [enrolment, cause, risk, plannedAt, plannedBy, begunAt, endedAt, outcome, expiresAt]: EnrolmentRow,
): EnrolmentRecord {
  return {
    utility,
    island,
    systemTitle,
    enrolment,
    cause,
    risk,
    plannedAt,
    plannedBy,
    begunAt: begunAt ?? undefined,
    endedAt: endedAt ?? undefined,
    outcome: outcome ?? undefined,
    expiresAt: expiresAt ?? undefined,
  };
}

function meterOf(row: MeterRow): MeterRecord {
  return {
    utility: row.utility,
    island: row.island,
    systemTitle: row.title,
    origin: row.origin,
    logicalDeviceName: row.logical_device_name,
    serialNumber: row.serial_number,
    model: row.model,
    hardwareRevision: row.hardware_revision,
    firmware: row.firmware,
    profile: row.profile,
    securitySuite: row.security_suite,
    manufacturer: { flag: row.manufacturer_flag, name: row.manufacturer_name },
    holders: row.holders,
    shipment:
      row.shipment === null || row.shipment_line === null ? undefined : { id: row.shipment, line: row.shipment_line },
    createdAt: Number(row.created_ms),
    ...(row.counter_floor === "0" ? {} : { counterFloor: Number(row.counter_floor) }),
    ...(row.anchors.length === 0 ? {} : { anchors: row.anchors }),
    ...(row.standing === "in-service" ? {} : { standing: row.standing }),
    ...(row.mac === null ? {} : { mac: new Uint8Array(row.mac) }),
  };
}
