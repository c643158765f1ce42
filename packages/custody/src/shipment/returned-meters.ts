import { type Readmission, type ReadmissionDependencies, readmission } from "../departure/readmission.ts";
import type { CheckedFiles } from "../records/checked-files.ts";
import type { Change } from "../store/committer.ts";
import type { MeterFile, ShipmentRecord } from "../store/records.ts";
import type { ShipmentStage, StagedMeter } from "../store/store.ts";
import type { ImportPlace } from "./import-place.ts";
import type { ShipmentHeader, ShippedMeter } from "./reader.ts";

/** In a transfer of up to so many meters there may be some that had been ours: all of it is one commit then. */
const MOST_WITH_READMISSIONS = 5000;

/** What meters are taken back with. */
type ReturnDependencies = ReadmissionDependencies & { readonly files: Pick<CheckedFiles, "load"> };

/**
 * The meters of a transfer that had been ours. What is staged is tried there and kept here as well: once one has come back,
 * all of it is one commit with the entry that its standing follows from.
 */
export class ReturnedMeters {
  readonly #dependencies: ReturnDependencies;
  readonly #place: ImportPlace;
  readonly #fresh: StagedMeter[] = [];
  readonly #back: Readmission[] = [];

  constructor(dependencies: ReturnDependencies, place: ImportPlace) {
    this.#dependencies = dependencies;
    this.#place = place;
  }

  get isEmpty(): boolean {
    return this.#back.length === 0;
  }

  get titles(): readonly string[] {
    return this.#back.map(({ meter }) => meter.systemTitle);
  }

  /** Whether a shipment may bring back what had been ours. */
  areOf({ kind, count }: ShipmentHeader): boolean {
    return kind === "transfer" && count <= MOST_WITH_READMISSIONS;
  }

  /** Takes the meters out of a batch that had been ours, and gives the others. */
  async takeFrom(batch: readonly ShippedMeter[], header: ShipmentHeader, stage: ShipmentStage) {
    const left = new Set(await stage.left(batch.map(({ systemTitle }) => systemTitle)));
    if (left.size === 0) return batch;
    const { files } = this.#dependencies;
    for (const shipped of batch.filter(({ systemTitle }) => left.has(systemTitle))) {
      const file = (await files.load(shipped.systemTitle)) as MeterFile;
      this.#back.push(await readmission(this.#dependencies, file, header, shipped, this.#place));
      for (const { key } of shipped.keys) key[Symbol.dispose]();
    }
    return batch.filter(({ systemTitle }) => !left.has(systemTitle));
  }

  beside(header: ShipmentHeader, sealed: readonly StagedMeter[]): void {
    if (this.areOf(header)) this.#fresh.push(...sealed);
  }

  /** The whole shipment as one change. */
  change(shipment: ShipmentRecord): Change {
    return {
      writes: [
        ...this.#fresh.map((staged) => ({ kind: "add-meter", ...staged }) as const),
        ...this.#back.flatMap(({ writes }) => writes),
        { kind: "add-shipment", shipment },
      ],
      entries: this.#back.flatMap(({ entries }) => entries),
    };
  }
}
