import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Custodian } from "@meterkeep/api/custodian";
import {
  type Inventory,
  importShipment,
  LANES,
  type MeterDirectory,
  parseAddresses,
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

export interface CommissioningPorts {
  readonly sql: Sql;
  readonly scope: Scope;
  readonly exchangeDirectory: string;
  readonly custodian: Pick<Custodian, "beginShipment" | "shipmentChunk" | "commitShipment" | "shipmentMeters">;
  readonly inventory: Inventory;
  readonly directory: MeterDirectory;
  readonly queue: Pick<WorkQueue, "enrol">;
  now(): number;
  /** A sentence for the terminal. */
  onStep(text: string): void;
}

/** Brings what the other processes put into the exchange directory into the inventory: shipments, the grid, addresses. */
export class Commissioning {
  readonly #ports: CommissioningPorts;
  #clock: SourceClock = WALL_SOURCE_CLOCK;

  constructor(ports: CommissioningPorts) {
    this.#ports = ports;
  }

  /** The town's clock as it last told it. */
  get townClock(): SourceClock {
    return this.#clock;
  }

  /** Takes in everything that is there. It may be called again at any time: what is known changes nothing. */
  async takeIn(): Promise<void> {
    const { inventory, directory, queue, now } = this.#ports;
    await this.#takeShipments();
    const grid = await this.#read("grid.json");
    if (grid !== undefined) await inventory.placeOnGrid(parseGrid(grid));
    await this.#takeAddresses();
    await directory.refresh();
    const simulated = directory.meters.filter(({ kind, address }) => kind === "simulated" && address !== undefined);
    const wan = simulated.filter(({ path }) => path === "wan");
    const depot = simulated.filter(({ path }) => path === "depot");
    await queue.enrol(
      wan.map(({ id }) => id),
      now(),
      LANES.takeover,
    );
    // Due when the depot is done with them.
    await queue.enrol(
      depot.map(({ id }) => id),
      Number.POSITIVE_INFINITY,
      LANES.reading,
    );
    await refreshStatistics(this.#ports.sql);
  }

  async #takeShipments(): Promise<void> {
    const folder = join(this.#ports.exchangeDirectory, "shipments");
    const names = await readdir(folder).catch(() => []);
    for (const name of names.filter((file) => file.endsWith(".mks")).sort())
      await this.#takeShipment(join(folder, name));
  }

  async #takeShipment(file: string): Promise<void> {
    const { sql, scope, custodian, inventory, now, onStep } = this.#ports;
    const octets = await readFile(file);
    const { shipment, count } = headerOf(octets);
    const known = await rows<{ count: string }>(
      sql,
      "select count(*) from meters where utility_id = $1 and island_id = $2 and shipment = $3",
      [...scope.place, shipment],
    );
    if (Number(known[0]?.count) === count) return;
    const imported = await importShipment(custodian, scope, octets);
    const added = await inventory.add(imported.meters, new Date(now()));
    onStep(
      `Imported a shipment of ${imported.meters.length} meters; the custodian has their keys (${added.length} new)`,
    );
    for (const { systemTitle, purpose, message } of imported.warnings)
      onStep(`Weak key ${purpose} of ${systemTitle}: ${message}`);
  }

  async #takeAddresses(): Promise<void> {
    const text = await this.#read("addresses.json");
    if (text === undefined) return;
    const { time, meters } = parseAddresses(text);
    if (time !== undefined) this.#clock = townClock(time);
    await this.#ports.inventory.setAddresses(meters);
  }

  async #read(name: string): Promise<string | undefined> {
    try {
      return await readFile(join(this.#ports.exchangeDirectory, name), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
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
