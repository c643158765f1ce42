import type { StoredHandheld } from "./handheld.ts";
import type { MeterReading } from "./meter-reading.ts";

/** What the device keeps of a lease: the file as it was given, and what was done under it. */
export interface StoredLease {
  readonly file: string;
  /** The newest journal, signed. */
  readonly journal: string | undefined;
  /** What meters said, by system title. */
  readonly readings: Readonly<Record<string, MeterReading>>;
}

const DATABASE = "meterkeep-field";
const STORE = "kept";

interface Kept {
  readonly handheld: StoredHandheld;
  readonly lease: StoredLease;
}

/** The device's memory (IndexedDB): what is kept is on the disk when the promise is fulfilled. */
export class FieldMemory {
  readonly #database: IDBDatabase;

  private constructor(database: IDBDatabase) {
    this.#database = database;
  }

  static async open(): Promise<FieldMemory> {
    const opening = indexedDB.open(DATABASE, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE);
    return new FieldMemory(await answer(opening));
  }

  async get<Name extends keyof Kept>(name: Name): Promise<Kept[Name] | undefined> {
    const reading = this.#database.transaction(STORE).objectStore(STORE).get(name);
    return (await answer(reading)) as Kept[Name] | undefined;
  }

  async keep<Name extends keyof Kept>(name: Name, value: Kept[Name] | undefined): Promise<void> {
    // A counter that was used and forgotten would be used twice: strict waits for the disk.
    const writing = this.#database.transaction(STORE, "readwrite", { durability: "strict" });
    const store = writing.objectStore(STORE);
    if (value === undefined) store.delete(name);
    else store.put(value, name);
    await new Promise<void>((resolve, reject) => {
      writing.oncomplete = () => resolve();
      writing.onabort = () => reject(writing.error);
      writing.onerror = () => reject(writing.error);
    });
  }
}

function answer<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
