import { fromHex } from "@meterkeep/dlms";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql } from "../database/sql.ts";
import { HeadEndError } from "../errors.ts";
import { type Route, routeText } from "../route/route.ts";
import { ATTACHED_WEAK_KEYS, weakKeysSentence } from "../trust/trust.ts";
import type { Grid } from "./grid.ts";
import {
  type Address,
  METER_COLUMNS,
  METERS_WITH_FEEDER,
  type Meter,
  type MeterId,
  type MeterRow,
  meterOfRow,
} from "./meter.ts";

/** What is known of a meter that comes into the inventory. */
export interface NewMeter {
  /** Upper-case hex. */
  readonly systemTitle: string;
  readonly kind: Meter["kind"];
  readonly profile: string;
  readonly securitySuite: number;
  readonly manufacturer: string;
  readonly label?: string;
  readonly logicalDeviceName?: string;
  readonly serialNumber?: string;
  readonly model?: string;
  readonly hardwareRevision?: string;
  readonly firmware?: string;
  readonly shipment?: string;
  readonly holders: readonly string[];
  readonly pushSource?: string;
  readonly pushLayout?: string;
  /** What the custodian found against the keys of a meter that was added by hand. */
  readonly keyFindings?: readonly string[];
}

/**
 * The meters of one island. Adding one also makes the rows that say how it stands: held, not started, nothing read,
 * and due at once where `due` says so.
 */
export class Inventory {
  readonly #sql: Sql;
  readonly #scope: Scope;

  constructor(sql: Sql, scope: Scope) {
    this.#sql = sql;
    this.#scope = scope;
  }

  /** Adds meters that are not there yet; gives the ids of the new ones. One statement: all or none. */
  async add(meters: readonly NewMeter[], at: Date): Promise<readonly MeterId[]> {
    if (meters.length === 0) return [];
    const added = await rows<{ meter_id: number }>(this.#sql, ADD_METERS, [
      ...this.#scope.place,
      at,
      meters.map((meter) => Buffer.from(fromHex(meter.systemTitle))),
      meters.map((meter) => meter.kind),
      meters.map((meter) => meter.label ?? meter.serialNumber ?? meter.systemTitle),
      meters.map((meter) => meter.profile),
      meters.map((meter) => meter.securitySuite),
      meters.map((meter) => meter.manufacturer),
      meters.map((meter) => meter.logicalDeviceName ?? null),
      meters.map((meter) => meter.serialNumber ?? null),
      meters.map((meter) => meter.model ?? null),
      meters.map((meter) => meter.hardwareRevision ?? null),
      meters.map((meter) => meter.firmware ?? null),
      meters.map((meter) => meter.shipment ?? null),
      meters.map((meter) => JSON.stringify(meter.holders)),
      meters.map((meter) => meter.pushSource ?? null),
      meters.map((meter) => meter.pushLayout ?? null),
      meters.map(({ keyFindings = [] }) => (keyFindings.length === 0 ? null : weakKeysSentence(keyFindings))),
      ATTACHED_WEAK_KEYS,
    ]);
    return added.map((row) => row.meter_id as MeterId);
  }

  /** Which of these meters had left, and so have come back: with a shipment of their own, not with the one they once came with. */
  async left(meters: readonly NewMeter[]): Promise<readonly MeterId[]> {
    const left = await rows<{ meter_id: number }>(this.#sql, SELECT_LEFT, [
      ...this.#scope.place,
      meters.map((meter) => Buffer.from(fromHex(meter.systemTitle))),
      meters.map((meter) => meter.shipment ?? null),
    ]);
    return left.map((row) => row.meter_id as MeterId);
  }

  /** Puts what another shipment says of meters that came back in the place of what the one before said. */
  async reship(meters: readonly NewMeter[]): Promise<void> {
    await this.#sql.query(RESHIP_METERS, [
      ...this.#scope.place,
      meters.map((meter) => Buffer.from(fromHex(meter.systemTitle))),
      meters.map((meter) => meter.manufacturer),
      meters.map((meter) => meter.firmware ?? null),
      meters.map((meter) => meter.shipment ?? null),
      meters.map((meter) => JSON.stringify(meter.holders)),
    ]);
  }

  /** How many meters there are of each kind. */
  async countByKind(): Promise<Readonly<Record<Meter["kind"], number>>> {
    const counted = await rows<{ kind: Meter["kind"]; count: number }>(
      this.#sql,
      "select kind, count(*)::integer as count from meters where utility_id = $1 and island_id = $2 group by kind",
      [...this.#scope.place],
    );
    return { simulated: 0, real: 0, ...Object.fromEntries(counted.map(({ kind, count }) => [kind, count])) };
  }

  /** Puts the grid's feeders, transformers and labels where the meters are already known. */
  async placeOnGrid(grid: Grid): Promise<void> {
    for (const [position, feeder] of grid.feeders.entries()) {
      await this.#sql.query(PUT_FEEDER, [
        ...this.#scope.place,
        feeder.id,
        feeder.name,
        grid.substation.id,
        grid.substation.name,
        feeder.path,
        position,
      ]);
      await this.#sql.query(PUT_TRANSFORMER, [
        ...this.#scope.place,
        feeder.transformer.id,
        feeder.id,
        feeder.transformer.ratedKva,
      ]);
      const places = [
        { meter: feeder.transformer.meter, label: `${feeder.name}, transformer`, phase: null, role: "transformer" },
        ...feeder.homes.map((home) => ({ ...home, role: "home" })),
      ];
      await this.#sql.query(PUT_PLACES, [
        ...this.#scope.place,
        feeder.id,
        feeder.transformer.id,
        places.map((place) => Buffer.from(fromHex(place.meter))),
        places.map((place) => place.label),
        places.map((place) => place.phase),
        places.map((place) => place.role),
      ]);
    }
  }

  /**
   * Notes where meters of a kind are reached, at the depot and in the field. Others of the list stay as they are: the town
   * has no say about real meters, nor the utility's network about virtual ones.
   */
  async setAddresses(
    kind: Meter["kind"],
    addresses: readonly { readonly systemTitle: string; readonly wan?: Route; readonly depot?: Address }[],
  ): Promise<void> {
    await this.#sql.query(PUT_ADDRESSES, [
      ...this.#scope.place,
      addresses.map((entry) => Buffer.from(fromHex(entry.systemTitle))),
      addresses.map(({ wan }) => (wan === undefined ? null : routeText(wan))),
      addresses.map((entry) => entry.depot?.host ?? null),
      addresses.map((entry) => entry.depot?.port ?? null),
      kind,
    ]);
  }

  /** All meters, feeder by feeder. */
  async all(): Promise<readonly Meter[]> {
    const found = await rows<MeterRow>(
      this.#sql,
      `select ${METER_COLUMNS} from ${METERS_WITH_FEEDER}
       where m.utility_id = $1 and m.island_id = $2 order by f.position nulls last, m.position, m.meter_id`,
      [...this.#scope.place],
    );
    return found.map(meterOfRow);
  }

  /** One meter. @throws HeadEndError `meter-unknown`. */
  async get(title: string): Promise<Meter> {
    const row = await firstRow<MeterRow>(
      this.#sql,
      `select ${METER_COLUMNS} from ${METERS_WITH_FEEDER}
       where m.utility_id = $1 and m.island_id = $2 and m.system_title = $3`,
      [...this.#scope.place, Buffer.from(fromHex(title))],
    );
    if (row === undefined) throw new HeadEndError("meter-unknown", `there is no meter ${title} on this island`);
    return meterOfRow(row);
  }

  /** The grid as far as it is known. */
  async grid(): Promise<Omit<Grid, "utility" | "island"> | undefined> {
    const feeders = await rows<FeederRow>(this.#sql, SELECT_GRID, [...this.#scope.place]);
    const first = feeders[0];
    if (first === undefined) return undefined;
    return {
      substation: { id: first.substation_id, name: first.substation_name },
      feeders: feeders.map((feeder) => ({
        id: feeder.feeder_id,
        name: feeder.name,
        path: feeder.path,
        transformer: {
          id: feeder.transformer_id,
          meter: feeder.transformer_meter ?? "",
          ratedKva: feeder.rated_kva,
        },
        homes: feeder.homes ?? [],
      })),
    };
  }
}

interface FeederRow {
  readonly feeder_id: string;
  readonly name: string;
  readonly path: "wan" | "depot";
  readonly substation_id: string;
  readonly substation_name: string;
  readonly transformer_id: string;
  readonly rated_kva: number;
  readonly transformer_meter: string | null;
  readonly homes: readonly { meter: string; label: string; phase: string }[] | null;
}

const SELECT_GRID = `
  select f.feeder_id, f.name, f.path, f.substation_id, f.substation_name, t.transformer_id, t.rated_kva,
    (select upper(encode(m.system_title, 'hex')) from meters m
     where (m.utility_id, m.island_id, m.transformer_id) = (f.utility_id, f.island_id, t.transformer_id)
       and m.role = 'transformer') as transformer_meter,
    (select jsonb_agg(jsonb_build_object('meter', upper(encode(m.system_title, 'hex')), 'label', m.label,
        'phase', coalesce(m.phase, 'L1-3')) order by m.position, m.meter_id)
     from meters m where (m.utility_id, m.island_id, m.feeder_id) = (f.utility_id, f.island_id, f.feeder_id)
       and m.role = 'home') as homes
  from feeders f join transformers t using (utility_id, island_id, feeder_id)
  where f.utility_id = $1 and f.island_id = $2 order by f.position`;

const ADD_METERS = `
  with added as (
    insert into meters (utility_id, island_id, system_title, kind, role, label, profile, security_suite, manufacturer,
      logical_device_name, serial_number, model, hardware_revision, firmware, shipment, holders, push_source, push_layout,
      imported_at)
    select $1, $2, n.title, n.kind, case when n.shipment is null then 'attached' else 'home' end, n.label, n.profile, n.suite,
      n.manufacturer, n.ldn, n.serial, n.model, n.hardware, n.firmware, n.shipment,
      array(select jsonb_array_elements_text(n.holders::jsonb)), n.push_source, n.push_layout, $3
    from unnest($4::bytea[], $5::text[], $6::text[], $7::text[], $8::smallint[], $9::text[], $10::text[], $11::text[],
      $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::text[])
      as n(title, kind, label, profile, suite, manufacturer, ldn, serial, model, hardware, firmware, shipment, holders,
        push_source, push_layout)
    on conflict (system_title) do nothing
    returning meter_id, system_title, shipment is null as by_hand
  ), with_trust as (
    insert into trust (utility_id, island_id, meter_id, state, reason, sentence, since)
    select $1, $2, meter_id, 'held',
      case when not by_hand then 'shipped' when weak.sentence is null then 'attached' else $20 end,
      case when not by_hand then 'It is known from its shipment and nobody has spoken with it yet.'
        else coalesce(weak.sentence, 'Its keys were added by hand and nothing has been heard from it yet.') end, $3
    from added join unnest($4::bytea[], $19::text[]) as weak(title, sentence) on weak.title = added.system_title
  ), with_takeover as (
    insert into takeovers (utility_id, island_id, meter_id, phase, step, grade, verdict, sentence, updated_at)
    select $1, $2, meter_id, case when by_hand then 'not-applicable' else 'not-started' end, 'factory-association',
      'none', 'pending', '', $3
    from added
  ), with_coverage as (
    insert into interval_coverage (utility_id, island_id, meter_id) select $1, $2, meter_id from added
  ), with_latest as (
    insert into meter_latest (utility_id, island_id, meter_id) select $1, $2, meter_id from added
  )
  select meter_id from added`;

const SELECT_LEFT = `
  select m.meter_id from meters m
  join takeovers t on (t.utility_id, t.island_id, t.meter_id) = (m.utility_id, m.island_id, m.meter_id)
  join unnest($3::bytea[], $4::text[]) as n(title, shipment) on m.system_title = n.title
  where m.utility_id = $1 and m.island_id = $2 and t.phase = 'left' and n.shipment is distinct from m.shipment`;

const RESHIP_METERS = `
  update meters m set manufacturer = n.manufacturer, firmware = n.firmware, shipment = n.shipment,
    holders = array(select jsonb_array_elements_text(n.holders::jsonb))
  from unnest($3::bytea[], $4::text[], $5::text[], $6::text[], $7::text[])
    as n(title, manufacturer, firmware, shipment, holders)
  where m.utility_id = $1 and m.island_id = $2 and m.system_title = n.title and m.shipment is not null
    and n.shipment is distinct from m.shipment`;

const PUT_FEEDER = `
  insert into feeders (utility_id, island_id, feeder_id, name, substation_id, substation_name, path, position)
  values ($1, $2, $3, $4, $5, $6, $7, $8)
  on conflict (utility_id, island_id, feeder_id) do update set name = excluded.name, path = excluded.path,
    substation_id = excluded.substation_id, substation_name = excluded.substation_name, position = excluded.position`;

const PUT_TRANSFORMER = `
  insert into transformers (utility_id, island_id, transformer_id, feeder_id, rated_kva) values ($1, $2, $3, $4, $5)
  on conflict (utility_id, island_id, transformer_id)
  do update set feeder_id = excluded.feeder_id, rated_kva = excluded.rated_kva`;

const PUT_PLACES = `
  update meters m set feeder_id = $3, transformer_id = $4, label = p.label, phase = p.phase, role = p.role,
    position = p.position
  from unnest($5::bytea[], $6::text[], $7::text[], $8::text[]) with ordinality
    as p(title, label, phase, role, position)
  where m.utility_id = $1 and m.island_id = $2 and m.system_title = p.title`;

const PUT_ADDRESSES = `
  update meters m set route = a.route,
    -- Somebody has written another way down: where it had moved to since the old one says nothing any more.
    moved_host = case when m.route = a.route then m.moved_host end,
    announced_host = case when m.route = a.route then m.announced_host end,
    depot_host = a.depot_host, depot_port = a.depot_port
  from unnest($3::bytea[], $4::text[], $5::text[], $6::integer[]) as a(title, route, depot_host, depot_port)
  where m.utility_id = $1 and m.island_id = $2 and m.system_title = a.title and m.kind = $7`;
