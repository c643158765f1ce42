import type { Finding } from "@meterkeep/ledger";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { EntryBursts } from "../evidence/entry-bursts.ts";
import type { CounterLine, MeterFile, MeterPlace, SetupPlace } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import type { Vault } from "../vault/vault.ts";
import { counterFault, fileFault, type RecordFault, unmarkedFault } from "./record-check.ts";

/** A page of meters, in the order of their titles. */
export interface CheckedPage {
  readonly files: MeterFile[];
  /** Titles of those whose rows are not what custody has written. */
  readonly refused: readonly string[];
  readonly last: string | undefined;
}

/**
 * What the store has, read through its MACs and the ledger's marks: a row that was changed, moved or put back is refused,
 * which the ledger has before the caller hears of it.
 */
export class CheckedFiles {
  readonly #store: Pick<CustodyStore, "load" | "loadPage" | "counterLine">;
  readonly #vault: Pick<Vault, "authenticate">;
  readonly #bursts: EntryBursts;
  readonly #now: () => number;
  readonly #listeners = new Set<(systemTitle: string) => void>();
  /** What is wrong with the ledger and nobody has seen. */
  #open: () => readonly Finding[] = () => [];
  #refused = 0;

  constructor(
    store: Pick<CustodyStore, "load" | "loadPage" | "counterLine">,
    vault: Pick<Vault, "authenticate">,
    bursts: EntryBursts,
    now: () => number,
  ) {
    this.#store = store;
    this.#vault = vault;
    this.#bursts = bursts;
    this.#now = now;
  }

  /** How many rows were refused since the start. */
  get refused(): number {
    return this.#refused;
  }

  /** As long as something is wrong with the ledger that people have not seen, what it knows nothing of is refused. */
  refuseUnmarkedWhile(open: () => readonly Finding[]): void {
    this.#open = open;
  }

  /** Has somebody hear of each meter whose rows are refused: what was kept of them rests on what may have been no better. */
  onRefused(listener: (systemTitle: string) => void): void {
    this.#listeners.add(listener);
  }

  /** Everything about a meter, or undefined. @throws CallRefusal `record-refused`. */
  async load(systemTitle: string): Promise<MeterFile | undefined> {
    const file = await this.#store.load(systemTitle);
    const fault = file && (await fileFault(this.#vault, file));
    if (file !== undefined && fault !== undefined) throw await this.#refusal(file.meter, fault);
    return file;
  }

  /** A page of meters; those whose rows are refused are left out. */
  async loadPage(titles: readonly string[], after: string | undefined, limit: number): Promise<MeterFile[]> {
    return (await this.nextPage(titles, after, limit)).files;
  }

  /** The same, with those that were refused, and the title of the last one that was looked at: undefined where there are no more. */
  async nextPage(titles: readonly string[], after: string | undefined, limit: number): Promise<CheckedPage> {
    const page = await this.#store.loadPage(titles, after, limit);
    const [files, refused]: [MeterFile[], string[]] = [[], []];
    for (const file of page) {
      const fault = await fileFault(this.#vault, file);
      if (fault === undefined) files.push(file);
      else {
        refused.push(file.meter.systemTitle);
        await this.#refusal(file.meter, fault);
      }
    }
    return { files, refused, last: page.length < limit ? undefined : page.at(-1)?.meter.systemTitle };
  }

  /** The send counters of a setup. @throws CallRefusal `record-refused`. */
  async counterLine(place: SetupPlace): Promise<CounterLine> {
    const line = await this.#store.counterLine(place);
    const fault = (await counterFault(this.#vault, place, line)) ?? unmarkedFault(place, line, this.#open());
    if (fault !== undefined) throw await this.#refusal(place, fault);
    return line;
  }

  async #refusal({ utility, island, systemTitle }: MeterPlace, { code, message }: RecordFault): Promise<CallRefusal> {
    this.#refused += 1;
    for (const listener of this.#listeners) listener(systemTitle);
    const at = this.#now();
    const entry = { at, kind: "record-refused", principal: "custodian", utility, island, meter: systemTitle };
    await this.#bursts.record([{ ...entry, body: { code, message } }]);
    return new CallRefusal("record-refused", `meter ${systemTitle}: ${code}; the custodian's ledger says which`);
  }
}
