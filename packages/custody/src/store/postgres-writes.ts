import type { PoolClient } from "pg";
import { CustodyError } from "../errors.ts";
import type { KeyRecord, SetupPlace, ShipmentRecord, StoredCounter, StoredTakeover, WindowRecord } from "./records.ts";
import type { ReserveCounters, StageConflict, Staged, StagedMeter, Write } from "./store.ts";

// Each function writes a list in one statement: a group commit of a hundred sessions is a handful of round trips.

const PLACE = "utility, island, system_title, setup";

function places(records: readonly SetupPlace[]): [string[], string[], Buffer[], number[]] {
  return [
    records.map(({ utility }) => utility),
    records.map(({ island }) => island),
    records.map(({ systemTitle }) => titleOctets(systemTitle)),
    records.map(({ setup }) => setup),
  ];
}

/** The octets of a system title, as the database holds them. */
export function titleOctets(systemTitle: string): Buffer {
  return Buffer.from(systemTitle, "hex");
}

// Nothing is written where a counter of the setup was reserved from the first wanted one on, whichever version of the
// key it was for.
const RESERVE = `
  with wanted as (
    select * from unnest($1::text[], $2::text[], $3::bytea[], $4::smallint[], $5::int[], $6::bigint[], $7::bytea[],
      $8::bigint[]) as w (${PLACE}, key_version, next, mac, first)
  ), taken as (
    select from wanted w join send_counters c using (${PLACE}) where c.next > w.first
  )
  insert into send_counters (${PLACE}, key_version, next, mac)
  select ${PLACE}, key_version, next, mac from wanted where not exists (select from taken)
  on conflict (${PLACE}, key_version) do update set next = excluded.next, mac = excluded.mac`;

/** Reserves counters. */
export async function reserveCounters(client: PoolClient, wanted: readonly ReserveCounters[]): Promise<void> {
  // A statement does not see its own writes: two reservations of one setup go one after the other.
  let rest = wanted;
  while (rest.length > 0) {
    const batch = firstOfEach(rest, ({ counter }) => `${counter.systemTitle}/${counter.setup}`);
    const { rowCount } = await client.query(RESERVE, [
      ...counterColumns(batch.map(({ counter }) => counter)),
      batch.map(({ from }) => from),
    ]);
    if (rowCount !== batch.length)
      throw new CustodyError("custody-write-conflict", "counters that were to be reserved are reserved already");
    rest = rest.filter((one) => !batch.includes(one));
  }
}

function counterColumns(counters: readonly StoredCounter[]) {
  return [
    ...places(counters),
    counters.map(({ keyVersion }) => keyVersion),
    counters.map(({ next }) => next),
    counters.map(({ mac }) => mac && Buffer.from(mac)),
  ];
}

function firstOfEach<T>(values: readonly T[], name: (value: T) => string): T[] {
  return [...new Map([...values].reverse().map((value) => [name(value), value])).values()];
}

/** Stores windows; of several for a place the one that has gone furthest counts, and of those the last given. */
export async function putWindows(client: PoolClient, windows: readonly WindowRecord[]): Promise<void> {
  const furthest = new Map<string, WindowRecord>();
  for (const window of windows) {
    const name = `${window.systemTitle}/${window.setup}/${window.keyVersion}`;
    if ((furthest.get(name)?.highest ?? 0) <= window.highest) furthest.set(name, window);
  }
  const batch = [...furthest.values()];
  if (batch.length === 0) return;
  await client.query(
    `insert into receive_windows (${PLACE}, key_version, highest, seen, mac)
     select * from unnest($1::text[], $2::text[], $3::bytea[], $4::smallint[], $5::int[], $6::bigint[], $7::bytea[],
       $8::bytea[])
     on conflict (${PLACE}, key_version)
       do update set highest = excluded.highest, seen = excluded.seen, mac = excluded.mac
       where receive_windows.highest <= excluded.highest`,
    [
      ...places(batch),
      batch.map(({ keyVersion }) => keyVersion),
      batch.map(({ highest }) => highest),
      batch.map(({ seen }) => Buffer.from(seen)),
      batch.map(({ mac }) => mac && Buffer.from(mac)),
    ],
  );
}

/** Adds keys with their check values. */
export async function addKeys(
  client: PoolClient,
  sets: readonly { readonly keys: readonly KeyRecord[]; readonly checkValues: readonly Uint8Array[] }[],
): Promise<void> {
  await insertKeys(
    client,
    sets.flatMap(({ keys }) => keys),
  );
  const shared = await insertCheckValues(client, sets);
  if (shared !== undefined)
    throw new CustodyError("custody-write-conflict", `a key of ${shared} is another meter's too`);
}

async function insertKeys(client: PoolClient, keys: readonly KeyRecord[]): Promise<void> {
  if (keys.length === 0) return;
  await client.query(
    `insert into meter_keys (${PLACE}, purpose, version, state, origin, sealed, created_ms, proven_ms)
     select * from unnest($1::text[], $2::text[], $3::bytea[], $4::smallint[], $5::smallint[], $6::int[], $7::text[],
       $8::text[], $9::bytea[], $10::bigint[], $11::bigint[])`,
    [
      ...places(keys),
      keys.map(({ purpose }) => purpose),
      keys.map(({ version }) => version),
      keys.map(({ state }) => state),
      keys.map(({ origin }) => origin),
      keys.map(({ sealed }) => Buffer.from(sealed)),
      keys.map(({ createdAt }) => createdAt),
      keys.map(({ provenAt }) => provenAt ?? null),
    ],
  );
}

/** Octets of a check value that are stored (migrations/scale/0001-narrow-rows.sql). */
const STORED_CHECK_BYTES = 16;

function storedCheckValue(value: Uint8Array): Buffer {
  return Buffer.from(value.subarray(0, STORED_CHECK_BYTES));
}

/** Inserts check values; gives the system title of a meter that shares one with another meter. */
async function insertCheckValues(
  client: PoolClient,
  sets: readonly { readonly keys: readonly KeyRecord[]; readonly checkValues: readonly Uint8Array[] }[],
): Promise<string | undefined> {
  const rows = sets.flatMap(({ keys, checkValues }) => {
    const owner = keys[0];
    return owner === undefined ? [] : checkValues.map((value) => ({ owner, value: storedCheckValue(value) }));
  });
  if (rows.length === 0) return undefined;
  const titles = rows.map(({ owner }) => titleOctets(owner.systemTitle));
  const values = rows.map(({ value }) => value);
  await client.query(
    `insert into key_check_values (check_value, system_title)
     select * from unnest($1::bytea[], $2::bytea[]) on conflict do nothing`,
    [values, titles],
  );
  const { rows: shared } = await client.query<{ system_title: Buffer }>(
    `select w.system_title from unnest($1::bytea[], $2::bytea[]) with ordinality as w (check_value, system_title, place)
     join key_check_values k using (check_value) where k.system_title <> w.system_title order by w.place limit 1`,
    [values, titles],
  );
  return shared[0]?.system_title.toString("hex").toUpperCase();
}

/** Meters come back that were given away. */
export async function readmitMeters(
  client: PoolClient,
  readmissions: readonly Extract<Write, { kind: "readmit-meter" }>[],
): Promise<void> {
  for (const { meter, at } of readmissions) {
    const { rowCount } = await client.query(
      `update meters set standing = 'in-service', standing_ms = $2, firmware = $3, manufacturer_flag = $4,
         manufacturer_name = $5, holders = $6, shipment = $7, shipment_line = $8, counter_floor = $9, mac = $10
       where system_title = $1 and standing in ('transferred', 'returned')`,
      [
        titleOctets(meter.systemTitle),
        at,
        meter.firmware,
        meter.manufacturer.flag,
        meter.manufacturer.name,
        meter.holders,
        meter.shipment?.id,
        meter.shipment?.line,
        meter.counterFloor ?? 0,
        meter.mac && Buffer.from(meter.mac),
      ],
    );
    if (rowCount !== 1)
      throw new CustodyError("custody-write-conflict", "a meter that was to come back has not been given away");
  }
}

/** Meters leave. */
export async function setStandings(
  client: PoolClient,
  departures: readonly Extract<Write, { kind: "set-standing" }>[],
): Promise<void> {
  if (departures.length === 0) return;
  const { rowCount } = await client.query(
    `update meters m set standing = w.standing, standing_ms = w.at
     from unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::bigint[])
       as w (utility, island, system_title, standing, at)
     where (m.utility, m.island, m.system_title) = (w.utility, w.island, w.system_title) and m.standing = 'in-service'`,
    [
      departures.map(({ meter }) => meter.utility),
      departures.map(({ meter }) => meter.island),
      departures.map(({ meter }) => titleOctets(meter.systemTitle)),
      departures.map(({ standing }) => standing),
      departures.map(({ at }) => at),
    ],
  );
  if (rowCount !== departures.length)
    throw new CustodyError("custody-write-conflict", "a meter that was to leave is not in service");
}

/** Changes states; what leaves `active` goes first, since a purpose has one active key. */
export async function setKeyStates(
  client: PoolClient,
  changes: readonly Extract<Write, { kind: "set-key-state" }>[],
): Promise<void> {
  const leaving = changes.filter(({ state }) => state !== "active");
  const entering = changes.filter(({ state }) => state === "active");
  for (const batch of [leaving, entering]) {
    if (batch.length === 0) continue;
    const { rowCount } = await client.query(
      `update meter_keys k set state = w.state, proven_ms = coalesce(w.proven_ms, k.proven_ms), changed_ms = w.changed_ms
       from unnest($1::text[], $2::text[], $3::bytea[], $4::smallint[], $5::smallint[], $6::int[], $7::text[], $8::bigint[],
         $9::bigint[]) as w (${PLACE}, purpose, version, state, proven_ms, changed_ms)
       where (k.utility, k.island, k.system_title, k.setup, k.purpose, k.version)
         = (w.utility, w.island, w.system_title, w.setup, w.purpose, w.version)
         and k.state not in ('destroyed', 'destroyed-compromised') and (k.state <> 'compromised' or w.state = k.state)`,
      [
        ...places(batch.map(({ place }) => place)),
        batch.map(({ purpose }) => purpose),
        batch.map(({ version }) => version),
        batch.map(({ state }) => state),
        batch.map(({ provenAt }) => provenAt ?? null),
        batch.map(({ at }) => at),
      ],
    );
    if (rowCount !== batch.length)
      throw new CustodyError(
        "custody-write-conflict",
        `${batch.length - (rowCount ?? 0)} keys to be changed are not there, or compromised or destroyed since`,
      );
  }
}

/** Opens takeovers (revision 1) and replaces journals of the revision before. */
export async function putTakeovers(client: PoolClient, takeovers: readonly StoredTakeover[]): Promise<void> {
  const opened = takeovers.filter(({ revision }) => revision === 1);
  const advanced = takeovers.filter(({ revision }) => revision > 1);
  const columns = (records: readonly StoredTakeover[]) => [
    ...places(records),
    records.map(({ takeover }) => takeover),
    records.map(({ revision }) => revision),
    records.map(({ journal }) => journal),
    records.map(({ openedAt }) => openedAt),
    records.map(({ closedAt }) => closedAt ?? null),
    records.map(({ mac }) => mac && Buffer.from(mac)),
    records.map(({ subject }) => subject ?? "keys"),
  ];
  const source =
    "unnest($1::text[], $2::text[], $3::bytea[], $4::smallint[], $5::int[], $6::int[], $7::text[], $8::bigint[], $9::bigint[], $10::bytea[], $11::text[])";
  if (opened.length > 0)
    await client.query(
      `insert into takeovers (${PLACE}, takeover, revision, journal, opened_ms, closed_ms, mac, subject) select * from ${source}`,
      columns(opened),
    );
  if (advanced.length === 0) return;
  const { rowCount } = await client.query(
    `update takeovers t set revision = w.revision, journal = w.journal, closed_ms = w.closed_ms, mac = w.mac
     from ${source} as w (${PLACE}, takeover, revision, journal, opened_ms, closed_ms, mac, subject)
     where (t.utility, t.island, t.system_title, t.setup, t.subject, t.takeover, t.revision)
       = (w.utility, w.island, w.system_title, w.setup, w.subject, w.takeover, w.revision - 1)`,
    columns(advanced),
  );
  if (rowCount !== advanced.length)
    throw new CustodyError("custody-write-conflict", "a takeover's journal is not at the revision that was expected");
}

/**
 * Adds meters with their keys; gives the first that cannot be added, and the transaction is then of no more use. What
 * nobody has signed stands aside for what somebody has.
 */
export async function addMeters(client: PoolClient, staged: readonly StagedMeter[]): Promise<Staged> {
  const setAside = await setAsideAdded(
    client,
    staged.filter(({ meter }) => meter.origin === "shipped"),
  );
  return { conflict: await insertMeters(client, staged), setAside };
}

/** Sets aside the meters added by hand that bear a title, or hold a key, of those that are to be added. */
async function setAsideAdded(client: PoolClient, shipped: readonly StagedMeter[]): Promise<string[]> {
  if (shipped.length === 0) return [];
  const { rows } = await client.query<{ title: string }>(
    `with added as materialized (
       select m.system_title from meters m where m.origin = 'added' and (m.system_title = any($1::bytea[])
         or exists (select from key_check_values v
           where v.system_title = m.system_title and v.check_value = any($2::bytea[])))
     )
     select upper(encode(system_title, 'hex')) as title, set_aside_added_meter(system_title, $3) from added`,
    [
      shipped.map(({ meter }) => titleOctets(meter.systemTitle)),
      shipped.flatMap(({ checkValues }) => checkValues.map(storedCheckValue)),
      shipped[0]?.meter.createdAt,
    ],
  );
  return rows.map(({ title }) => title);
}

async function insertMeters(client: PoolClient, staged: readonly StagedMeter[]): Promise<StageConflict | undefined> {
  const meters = staged.map(({ meter }) => meter);
  const titles = meters.map(({ systemTitle }) => titleOctets(systemTitle));
  const { rows } = await client.query<{ system_title: Buffer }>(
    `insert into meters (utility, island, system_title, origin, logical_device_name, serial_number, model,
       hardware_revision, firmware, profile, security_suite, manufacturer_flag, manufacturer_name, holders, shipment,
       shipment_line, created_ms, counter_floor, anchors, mac)
     select utility, island, system_title, origin, logical_device_name, serial_number, model, hardware_revision, firmware,
       profile, security_suite, manufacturer_flag, manufacturer_name,
       array(select jsonb_array_elements_text(holders)), shipment, shipment_line, created_ms, counter_floor,
       array(select jsonb_array_elements_text(anchors)), mac
     from unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
       $9::text[], $10::text[], $11::smallint[], $12::text[], $13::text[], $14::jsonb[], $15::text[], $16::int[],
       $17::bigint[], $18::bigint[], $19::jsonb[], $20::bytea[])
       as w (utility, island, system_title, origin, logical_device_name, serial_number, model, hardware_revision,
       firmware, profile, security_suite, manufacturer_flag, manufacturer_name, holders, shipment, shipment_line,
       created_ms, counter_floor, anchors, mac)
     on conflict (system_title) do nothing returning system_title`,
    [
      meters.map(({ utility }) => utility),
      meters.map(({ island }) => island),
      titles,
      meters.map(({ origin }) => origin),
      meters.map(({ logicalDeviceName }) => logicalDeviceName),
      meters.map(({ serialNumber }) => serialNumber),
      meters.map(({ model }) => model),
      meters.map(({ hardwareRevision }) => hardwareRevision),
      meters.map(({ firmware }) => firmware),
      meters.map(({ profile }) => profile),
      meters.map(({ securitySuite }) => securitySuite),
      meters.map(({ manufacturer }) => manufacturer.flag),
      meters.map(({ manufacturer }) => manufacturer.name),
      meters.map(({ holders }) => JSON.stringify(holders)),
      meters.map(({ shipment }) => shipment?.id ?? null),
      meters.map(({ shipment }) => shipment?.line ?? null),
      meters.map(({ createdAt }) => createdAt),
      meters.map(({ counterFloor }) => counterFloor ?? 0),
      meters.map(({ anchors = [] }) => JSON.stringify(anchors)),
      meters.map(({ mac }) => mac && Buffer.from(mac)),
    ],
  );
  if (rows.length !== meters.length)
    return duplicateOf(
      client,
      staged,
      rows.map((row) => row.system_title),
    );
  await insertKeys(
    client,
    staged.flatMap(({ keys }) => keys),
  );
  const shared = await insertCheckValues(client, staged);
  return shared === undefined ? undefined : { systemTitle: shared, problem: "key-shared" };
}

/** The first meter that was not inserted: it was there before, or stands in the same list twice. */
async function duplicateOf(
  client: PoolClient,
  staged: readonly StagedMeter[],
  inserted: readonly Buffer[],
): Promise<StageConflict> {
  const fresh = new Set(inserted.map((title) => title.toString("hex").toUpperCase()));
  const meter = staged
    .map((one) => one.meter)
    .find(({ systemTitle }) => !fresh.delete(systemTitle)) as StagedMeter["meter"];
  const { rows } = await client.query<{ shipment: string | null }>(
    "select shipment from meters where system_title = $1",
    [titleOctets(meter.systemTitle)],
  );
  const sameFile = meter.shipment !== undefined && rows[0]?.shipment === meter.shipment.id;
  return { systemTitle: meter.systemTitle, problem: sameFile ? "in-file" : "in-custody" };
}

export async function insertShipment(client: PoolClient, shipment: ShipmentRecord): Promise<void> {
  await client.query(
    `insert into shipments (utility, island, manufacturer_key, shipment, manufacturer, customer, created, meters, root,
       imported_ms) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      shipment.utility,
      shipment.island,
      shipment.manufacturerKey,
      shipment.shipment,
      shipment.manufacturer,
      shipment.customer,
      shipment.created,
      shipment.meters,
      shipment.root,
      shipment.importedAt,
    ],
  );
}
