import type { DESTINATION_INCIDENTS } from "@meterkeep/api";
import type { Ledger } from "@meterkeep/ledger";
import type { Scope } from "../database/scope.ts";
import { rows, type Sql } from "../database/sql.ts";
import type { EventSink } from "../event/event-hub.ts";
import type { Meter, MeterId } from "../inventory/meter.ts";
import { foreignText } from "../reading/foreign-text.ts";
import { type Place, Places, RETURN_MILLISECONDS } from "./places.ts";

export type DestinationIncidentKind = (typeof DESTINATION_INCIDENTS)[number];

/** An incident about a meter's destinations. */
export interface DestinationIncident {
  readonly kind: DestinationIncidentKind;
  /** The destination, or the address. */
  readonly place: string;
  readonly sentence: string;
  readonly at: Date;
  /** How often since. */
  readonly count: number;
}

export interface DestinationWatchPorts {
  readonly sql: Sql;
  readonly scope: Scope;
  readonly ledger: Pick<Ledger, "append">;
  readonly events: EventSink;
  /** Where meters may push to, as push set-ups write it: `host:port`. */
  destinations(): readonly string[];
  now(): number;
}

type Named = Pick<Meter, "id" | "title" | "label">;
/** A meter as far as it matters whether it may be elsewhere. */
type Heard = Named & Pick<Meter, "route" | "moving">;

const THROUGH_CONCENTRATOR = /^concentrator:\/\/([^/]+)\//;
/** Returns to an address that was left, within an hour: a meter that moves does not go to and fro. */
const RETURNS = 3;
/** What was on its way when a meter moved comes after it. */
const UNDER_WAY_MILLISECONDS = 60_000;

/**
 * Watches where meters push to and who speaks in their names. A meter that is known to move may be elsewhere with an
 * authenticated exchange; one that does not is an incident then, and so is one that still sends from where it has left, by which
 * somebody is seen who took a meter's place once and stays. Each incident is told once an hour, with an entry in the ledger
 * before anything else.
 */
export class DestinationWatch {
  readonly #ports: DestinationWatchPorts;
  readonly #places: Places;

  constructor(ports: DestinationWatchPorts) {
    this.#ports = ports;
    this.#places = new Places(ports.sql, ports.scope);
  }

  /** A push set-up (class 40) was read: in an authenticated session, so it says what the meter does. */
  async pushSetUp(meter: Named, obis: string, destination: string): Promise<void> {
    if (destination === "" || this.#ports.destinations().includes(destination)) return;
    const sentence = `${meter.label} is set up (${obis}) to push to ${shown(destination)}, which is not ours.`;
    await this.#tell(meter, "points-elsewhere", destination, sentence);
  }

  /**
   * Something in a meter's name could not be authenticated. From where the meter itself is heard that is a fault of the
   * line; from elsewhere it is somebody else. Between a concentrator and us no line can be at fault, since TLS would show it:
   * what it brings and is refused was changed or repeated by it or behind it.
   */
  async refused(meter: Named, address: string, code: string): Promise<void> {
    const [, concentrator] = THROUGH_CONCENTRATOR.exec(address) ?? [];
    if (concentrator !== undefined) {
      const brought = `What the concentrator ${concentrator} brought in the name of ${meter.label} was refused (${code}): it, or somebody behind it, changes or repeats what meters send.`;
      await this.#tell(meter, "false-delivery", `concentrator ${concentrator}`, brought);
      return;
    }
    const place = (await this.#places.of([meter.id])).get(meter.id);
    const leftAt = place?.left.get(address);
    if (place !== undefined && leftAt !== undefined) {
      if (this.#ports.now() - leftAt < UNDER_WAY_MILLISECONDS) return;
      const stays = `${meter.label} proves itself from ${shown(place.address)}, and ${shown(address)}, which it has left, still sends in its name what is refused (${code}): one of the two is not the meter and has its keys.`;
      await this.#tell(meter, "two-places", address, stays);
      return;
    }
    if (place?.address === address || (await this.#isFamiliar(meter.id, address))) return;
    const sentence = `${shown(address)} sent in the name of ${meter.label} what was refused (${code}), and the meter was never heard from there.`;
    await this.#tell(meter, "foreign-traffic", address, sentence);
  }

  /** Meters were authenticated from addresses. */
  async authenticated(all: readonly { readonly meter: Heard; readonly address: string }[]): Promise<void> {
    const at = this.#ports.now();
    const elsewhere = await this.#places.appeared(
      all.map(({ meter, address }) => ({ meter: meter.id, address })),
      at,
    );
    if (elsewhere.size === 0) return;
    const meters = new Map(all.map(({ meter }) => [meter.id, meter]));
    for (const [id, place] of elsewhere) await this.#judgeMove(meters.get(id) as Heard, place, at);
  }

  async #judgeMove(meter: Heard, { address, left, returns }: Place, at: number): Promise<void> {
    if (returns.length >= RETURNS) {
      const lately = [...left].filter(([, leftAt]) => at - leftAt < RETURN_MILLISECONDS).map(([other]) => other);
      const sentence = `${meter.label} proves itself from ${[...lately, address].map(shown).join(" and ")} in turn: two have its keys, or somebody stands between.`;
      await this.#tell(meter, "two-places", address, sentence);
    } else if (!mayMove(meter)) {
      const before = [...left.keys()].at(-1) ?? "";
      const sentence = `${meter.label} does not move, and proves itself from ${shown(address)} now; it was at ${shown(before)}: somebody may have taken its place with its keys.`;
      await this.#tell(meter, "moved", address, sentence);
    }
  }

  async #isFamiliar(meter: MeterId, address: string): Promise<boolean> {
    const found = await rows(this.#ports.sql, SELECT_FAMILIAR, [...this.#ports.scope.place, meter, address]);
    return found.length > 0;
  }

  async #tell(meter: Named, kind: DestinationIncidentKind, place: string, sentence: string): Promise<void> {
    const { sql, scope, ledger, events, now } = this.#ports;
    const at = new Date(now());
    const kept = foreignText(place).slice(0, 256);
    const key = [...scope.place, meter.id, kind, kept, at];
    const counted = await rows(sql, COUNT_AGAIN, key);
    if (counted.length > 0) return;
    await ledger.append({
      at: at.getTime(),
      kind: "destination-incident",
      principal: "head-end",
      utility: scope.utility,
      island: scope.island,
      meter: meter.title,
      body: { incident: kind, place: kept, sentence },
    });
    await sql.query(INSERT, [...key, sentence]);
    const data = {
      at: at.toISOString(),
      source: shown(kept),
      meter: meter.title,
      accepted: false,
      code: kind,
      sentence,
    };
    events.publish("push", data, { sentence, meter: meter.title, severity: "warning" });
  }
}

/** The incidents about a meter's destinations, the newest first. */
export async function destinationIncidents(
  sql: Sql,
  scope: Scope,
  meter: MeterId,
): Promise<readonly DestinationIncident[]> {
  const found = await rows<IncidentRow>(sql, SELECT_INCIDENTS, [...scope.place, meter]);
  return found.map(({ kind, place, sentence, at, count }) => ({ kind, place, sentence, at, count }));
}

interface IncidentRow {
  readonly kind: DestinationIncidentKind;
  readonly place: string;
  readonly sentence: string;
  readonly at: Date;
  readonly count: number;
}

/**
 * Whether a meter may push from elsewhere without anything being wrong: its network gives it other addresses, or what it sends
 * passes through what others share. One that is read at a fixed address of its own is where it is.
 */
function mayMove({ route, moving }: Heard): boolean {
  if (moving !== undefined || route === undefined) return true;
  return route.kind === "concentrator" || route.kind === "dial-in" || route.gateway !== undefined;
}

function shown(text: string): string {
  return foreignText(text).slice(0, 80);
}

const SELECT_FAMILIAR = `
  select from push_sources where utility_id = $1 and island_id = $2 and meter_id = $3 and address = $4 and accepted > 0
    and protection = 'authenticated' limit 1`;

const COUNT_AGAIN = `
  update destination_incidents set count = count + 1
  where utility_id = $1 and island_id = $2 and meter_id = $3 and kind = $4 and place = $5
    and at > $6::timestamptz - interval '1 hour'
  returning meter_id`;

const INSERT = `
  insert into destination_incidents (utility_id, island_id, meter_id, kind, place, at, sentence)
  values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing`;

const SELECT_INCIDENTS = `
  select kind, place, sentence, at, count from destination_incidents
  where utility_id = $1 and island_id = $2 and meter_id = $3 order by at desc limit 20`;
