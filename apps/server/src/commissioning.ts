import type { EventData, Warning } from "@meterkeep/api";
import type { Custodian } from "@meterkeep/api/custodian";
import {
  type ConcentratorPlace,
  counted,
  type EventSink,
  HeadEndError,
  type Inventory,
  importShipment,
  LANES,
  type MeterDirectory,
  type MeterId,
  parseAddresses,
  parseConcentrators,
  parseGrid,
  refreshStatistics,
  rows,
  type Scope,
  type SourceClock,
  type Sql,
  townClock,
  WALL_SOURCE_CLOCK,
  type WorkQueue,
} from "@meterkeep/headend";
import { ExchangeFiles } from "./exchange-files.ts";

export interface CommissioningPorts {
  readonly sql: Sql;
  readonly scope: Scope;
  readonly exchangeDirectory: string;
  readonly custodian: Pick<Custodian, "beginShipment" | "shipmentChunk" | "commitShipment" | "shipmentMeters">;
  readonly inventory: Inventory;
  readonly directory: MeterDirectory;
  readonly queue: Pick<WorkQueue, "enrol">;
  readonly events: EventSink;
  now(): number;
  /** Concentrators have said where they are. */
  onConcentrators(places: readonly ConcentratorPlace[]): void;
  /** Meters that had left are ours again: what the custodian says of them now holds. */
  onReturned(meters: readonly MeterId[]): Promise<void>;
  /** A sentence for the terminal. */
  onStep(text: string): void;
}

/** How often a shipment is offered again that people have to agree to. */
const APPROVAL_MILLISECONDS = 60_000;
const GRID = "grid.json";
export const TOWN_ADDRESSES = "addresses.json";
const CONCENTRATORS = "concentrators.json";

/** What to do about a file that cannot be taken in. */
const FIXES: Readonly<Record<string, string>> = {
  [CONCENTRATORS]: "Restart, and the concentrators write it anew; until then meters are sought where they were.",
  [GRID]: "Put the file back as the factory wrote it; until then the grid stays as it was.",
  [TOWN_ADDRESSES]: "Restart, and the town writes it anew; until then meters are sought where they were.",
};
const FIX = "Repair or remove the file; it is looked at again as soon as it changes. Everything else goes on.";

/**
 * Brings what others put into the exchange directory into the inventory: shipments, the grid, addresses. A file that is
 * broken or refused stands aside, with a warning that names it, until it changes; the others are taken in all the same.
 */
export class Commissioning {
  readonly #ports: CommissioningPorts;
  readonly #files: ExchangeFiles;
  /** Shipments that were taken in, whole, by their stamp. */
  readonly #shipped = new Map<string, string>();
  readonly #refused = new Map<
    string,
    {
      readonly stamp: string;
      readonly message: string;
      /** When it is looked at again although it has not changed: people may have agreed to it by then. */
      readonly again: number;
    }
  >();
  #taken = "";
  #town: ReturnType<typeof parseAddresses>["meters"] = [];
  #behind: ReturnType<typeof parseConcentrators>["routes"] = new Map();
  #clock: SourceClock = WALL_SOURCE_CLOCK;

  constructor(ports: CommissioningPorts) {
    this.#ports = ports;
    this.#files = new ExchangeFiles(ports.exchangeDirectory);
  }

  /** The town's clock as it last told it. */
  get townClock(): SourceClock {
    return this.#clock;
  }

  /** One for each file that stands aside. */
  get warnings(): readonly Warning[] {
    return [...this.#refused].map(([file, { message }]) => ({
      code: "exchange-file-refused",
      text: `${file} of the exchange directory was not taken in. ${message}`,
      fix: FIXES[file] ?? FIX,
    }));
  }

  /** Whether anything is there that has not been taken in. */
  async hasNews(): Promise<boolean> {
    const at = this.#ports.now();
    return [...this.#refused.values()].some(({ again }) => again <= at) || (await this.#stamp()) !== this.#taken;
  }

  /** Takes in everything that is there. It may be called again at any time: what is known changes nothing. */
  async takeIn(): Promise<void> {
    const { inventory, directory, queue, now, sql } = this.#ports;
    const stamp = await this.#stamp();
    for (const file of await this.#files.list("shipments", ".mks")) await this.#take(file, () => this.#shipment(file));
    await this.#take(GRID, async () => {
      const text = await this.#files.text(GRID);
      if (text !== undefined) await inventory.placeOnGrid(parseGrid(text));
    });
    // Before the addresses: a meter behind a concentrator must not be sought elsewhere, not for a moment.
    await this.#take(CONCENTRATORS, () => this.#concentrators());
    await this.#take(TOWN_ADDRESSES, () => this.#townAddresses());
    for (const file of await this.#files.list("addresses", ".json"))
      await this.#take(file, async () => {
        const text = await this.#files.text(file);
        if (text !== undefined) await inventory.setAddresses("real", parseAddresses(text, file).meters);
      });
    await directory.refresh();
    const reached = directory.meters.filter(({ role, route }) => role !== "attached" && route !== undefined);
    const ids = (path: "wan" | "depot") => reached.filter((meter) => meter.path === path).map(({ id }) => id);
    await queue.enrol(ids("wan"), now(), LANES.takeover);
    // Due when the depot is done with them.
    await queue.enrol(ids("depot"), Number.POSITIVE_INFINITY, LANES.reading);
    await refreshStatistics(sql);
    this.#taken = stamp;
  }

  /** Takes one file in; what is wrong with the file is noted, what is wrong with anything else is thrown. */
  async #take(file: string, work: () => Promise<void>): Promise<void> {
    const stamp = await this.#files.stamp(file);
    const before = this.#refused.get(file);
    if (before?.stamp === stamp && this.#ports.now() < before.again) return;
    try {
      await work();
      this.#refused.delete(file);
    } catch (error) {
      if (!(error instanceof HeadEndError)) throw error;
      const { message } = error;
      const waits = error.code === "shipment-awaits-approval";
      this.#refused.set(file, {
        stamp,
        message,
        again: waits ? this.#ports.now() + APPROVAL_MILLISECONDS : Number.POSITIVE_INFINITY,
      });
      if (waits && before?.message === message) return;
      this.#tell({ file, imported: false, meters: 0, added: 0, sentence: `${file} was refused: ${message}` });
    }
  }

  async #shipment(file: string): Promise<void> {
    const { sql, scope, custodian, inventory, now, onStep } = this.#ports;
    const stamp = await this.#files.stamp(file);
    // Not by the count below alone: a meter that left and came back is of another shipment since.
    if (this.#shipped.get(file) === stamp) return;
    const octets = await this.#files.octets(file);
    if (octets === undefined) return;
    const { shipment, count } = headerOf(octets);
    const known = await rows<{ count: string }>(
      sql,
      "select count(*) from meters where utility_id = $1 and island_id = $2 and shipment = $3",
      [...scope.place, shipment],
    );
    if (Number(known[0]?.count) === count) {
      this.#shipped.set(file, stamp);
      return;
    }
    const { meters, warnings } = await importShipment(custodian, scope, octets);
    const added = await inventory.add(meters, new Date(now()));
    const returned = await inventory.left(meters);
    // First how they stand, then whose shipment they are of: cut off between the two, the file is offered again.
    if (returned.length > 0) await this.#ports.onReturned(returned);
    if (added.length < meters.length) await inventory.reship(meters);
    // The grid and the addresses come next, and find each meter among these.
    await refreshStatistics(sql);
    const kind = meters[0]?.kind ?? "real";
    const sentence = `Imported a shipment of ${counted(meters.length, `${kind} meter`)}; the custodian has the keys (${added.length} new${returned.length === 0 ? "" : `, ${returned.length} that had left`})`;
    for (const { systemTitle, purpose, message } of warnings)
      onStep(`Weak key ${purpose} of ${systemTitle}: ${message}`);
    this.#tell({ file, imported: true, meters: meters.length, added: added.length, sentence });
    this.#shipped.set(file, stamp);
  }

  async #townAddresses(): Promise<void> {
    const text = await this.#files.text(TOWN_ADDRESSES);
    if (text === undefined) return;
    const { time, meters } = parseAddresses(text);
    if (time !== undefined) this.#clock = townClock(time);
    this.#town = meters;
    await this.#setTownAddresses();
  }

  async #concentrators(): Promise<void> {
    const text = await this.#files.text(CONCENTRATORS);
    if (text === undefined) return;
    const { places, routes } = parseConcentrators(text);
    this.#behind = routes;
    this.#ports.onConcentrators(places);
    await this.#setTownAddresses();
  }

  /** A meter behind a concentrator is reached through it, wherever else the town has it. */
  async #setTownAddresses(): Promise<void> {
    const meters = this.#town.map((meter) => {
      const route = this.#behind.get(meter.systemTitle);
      return route === undefined ? meter : { ...meter, wan: route };
    });
    await this.#ports.inventory.setAddresses("simulated", meters);
  }

  #tell(facts: Omit<EventData["import"], "at">): void {
    const { events, now, onStep } = this.#ports;
    onStep(facts.sentence);
    events.publish(
      "import",
      { at: new Date(now()).toISOString(), ...facts },
      { sentence: `${facts.sentence}.`, severity: facts.imported ? "notice" : "warning" },
    );
  }

  async #stamp(): Promise<string> {
    const names = [
      GRID,
      TOWN_ADDRESSES,
      CONCENTRATORS,
      ...(await this.#files.list("addresses", ".json")),
      ...(await this.#files.list("shipments", ".mks")),
    ];
    return (await Promise.all(names.map(async (name) => `${name} ${await this.#files.stamp(name)}`))).join("\n");
  }
}

function headerOf(octets: Buffer): { readonly shipment: string | undefined; readonly count: number | undefined } {
  const end = octets.indexOf(0x0a);
  try {
    const { shipment, count } = JSON.parse(octets.subarray(0, end < 0 ? 0 : end).toString("utf8")) as {
      shipment?: string;
      count?: number;
    };
    return { shipment, count };
  } catch {
    // The custodian says what is wrong with it.
    return { shipment: undefined, count: undefined };
  }
}
