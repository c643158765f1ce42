import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { StoredCredentials } from "../certificates/credentials.ts";
import { MeterError } from "../errors.ts";
import type { FactoryKeys, ProductionRecord } from "../production.ts";
import type { KeyPurposeName, LoggedEvent, MemoryChange, MeterMemory, StoredMeter, StoredSetup } from "./memory.ts";
import type { MeterSettings } from "./settings.ts";

const SCHEMA_VERSION = 3;

/** Security setups beside the first: their counters, and their keys in force. */
const SETUPS = `
  CREATE TABLE setups (
    meter INTEGER NOT NULL REFERENCES meters, setup INTEGER NOT NULL, send INTEGER NOT NULL DEFAULT 0,
    unicast INTEGER NOT NULL DEFAULT -1, broadcast INTEGER NOT NULL DEFAULT -1, PRIMARY KEY (meter, setup)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE setup_keys (
    meter INTEGER NOT NULL REFERENCES meters, setup INTEGER NOT NULL, purpose INTEGER NOT NULL, octets BLOB NOT NULL,
    PRIMARY KEY (meter, setup, purpose)
  ) STRICT, WITHOUT ROWID;
`;

const SCHEMA = `
  CREATE TABLE meters (
    id INTEGER PRIMARY KEY, system_title TEXT NOT NULL UNIQUE, record TEXT NOT NULL, first_interval INTEGER NOT NULL,
    settings TEXT NOT NULL DEFAULT '{}', send INTEGER NOT NULL DEFAULT 0,
    unicast INTEGER NOT NULL DEFAULT -1, broadcast INTEGER NOT NULL DEFAULT -1, credentials TEXT
  ) STRICT;
  CREATE TABLE keys (
    meter INTEGER NOT NULL REFERENCES meters, purpose INTEGER NOT NULL, octets BLOB NOT NULL, PRIMARY KEY (meter, purpose)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE relay (id INTEGER PRIMARY KEY, meter INTEGER NOT NULL REFERENCES meters, at REAL NOT NULL, connected INTEGER NOT NULL) STRICT;
  CREATE TABLE events (
    meter INTEGER NOT NULL REFERENCES meters, log INTEGER NOT NULL, slot INTEGER NOT NULL,
    sequence INTEGER NOT NULL, at REAL NOT NULL, code INTEGER NOT NULL, PRIMARY KEY (meter, log, slot)
  ) STRICT, WITHOUT ROWID;
  ${SETUPS}
`;

/** From version 1: meters had no key pairs. */
const ADD_CREDENTIALS = "ALTER TABLE meters ADD COLUMN credentials TEXT;";

const PURPOSES: readonly KeyPurposeName[] = [
  "globalUnicastEncryptionKey",
  "globalBroadcastEncryptionKey",
  "authenticationKey",
  "keyEncryptionKey",
];

interface Pending {
  readonly meter: number;
  readonly change: MemoryChange;
}

/**
 * The meters' memory in one SQLite file.
 *
 * Changes of all meters since the last commit share one transaction. A commit with a key or a certificate in it waits for the disk; one without survives `kill -9` of
 * the process, which is all that counters and events of a simulated meter need.
 */
export class SqliteMemory implements MeterMemory {
  readonly #database: DatabaseSync;
  readonly #ids = new Map<string, number>();
  readonly #statements: Readonly<Record<MemoryChange["kind"] | "setupKey" | "setupCounters", StatementSync>>;
  readonly #begin: StatementSync;
  readonly #end: StatementSync;
  /** As the file was told last. */
  #waitsForDisk: boolean | undefined;
  #pending: Pending[] = [];

  /**
   * Opens or makes the file, which only its owner can read.
   *
   * Throws `meter-nvm-locked` when another process has it, `meter-nvm-schema-unknown` when a newer program wrote it.
   */
  constructor(path: string) {
    this.#database = open(path);
    for (const row of this.#database.prepare("SELECT id, system_title FROM meters").all()) {
      this.#ids.set(String(row["system_title"]), Number(row["id"]));
    }
    const prepare = (sql: string): StatementSync => this.#database.prepare(sql);
    this.#begin = prepare("BEGIN IMMEDIATE");
    this.#end = prepare("COMMIT");
    this.#statements = {
      key: prepare("INSERT OR REPLACE INTO keys (meter, purpose, octets) VALUES (?, ?, ?)"),
      counters: prepare("UPDATE meters SET send = ?, unicast = ?, broadcast = ? WHERE id = ?"),
      setupKey: prepare("INSERT OR REPLACE INTO setup_keys (meter, setup, purpose, octets) VALUES (?, ?, ?, ?)"),
      setupCounters: prepare("UPDATE setups SET send = ?, unicast = ?, broadcast = ? WHERE meter = ? AND setup = ?"),
      credentials: prepare("UPDATE meters SET credentials = ? WHERE id = ?"),
      relay: prepare("INSERT INTO relay (meter, at, connected) VALUES (?, ?, ?)"),
      event: prepare("INSERT OR REPLACE INTO events (meter, log, slot, sequence, at, code) VALUES (?, ?, ?, ?, ?, ?)"),
      settings: prepare("UPDATE meters SET settings = ? WHERE id = ?"),
    };
  }

  install(meters: readonly { readonly record: ProductionRecord; readonly firstInterval: number }[]): void {
    this.#transaction(true, () => {
      const insert = this.#database.prepare(
        "INSERT INTO meters (system_title, record, first_interval) VALUES (?, ?, ?)",
      );
      const insertSetup = this.#database.prepare("INSERT INTO setups (meter, setup) VALUES (?, ?)");
      for (const { record, firstInterval } of meters) {
        if (this.#ids.has(record.systemTitle)) continue;
        const { keys, setups = [], ...rest } = record;
        const { lastInsertRowid } = insert.run(record.systemTitle, JSON.stringify(rest), firstInterval);
        const meter = Number(lastInsertRowid);
        this.#ids.set(record.systemTitle, meter);
        for (const purpose of PURPOSES) this.#apply(meter, { kind: "key", purpose, octets: keys[purpose] });
        for (const { setup, keys: own } of setups) {
          insertSetup.run(meter, setup);
          for (const purpose of PURPOSES) this.#apply(meter, { kind: "key", setup, purpose, octets: own[purpose] });
        }
      }
    });
  }

  meters(): StoredMeter[] {
    const all = (sql: string): Record<string, unknown>[] => this.#database.prepare(sql).all();
    const keys = grouped(all("SELECT meter, purpose, octets FROM keys"));
    const setups = grouped(all("SELECT meter, setup, send, unicast, broadcast FROM setups ORDER BY setup"));
    const setupKeys = grouped(all("SELECT meter, setup, purpose, octets FROM setup_keys"));
    const relay = grouped(all("SELECT meter, at, connected FROM relay ORDER BY id"));
    const events = grouped(all("SELECT meter, log, sequence, at, code FROM events ORDER BY sequence"));
    return all("SELECT * FROM meters ORDER BY id").map((row) => {
      const id = Number(row["id"]);
      return {
        record: parsed<StoredMeter["record"]>(row["record"], id),
        keys: keysOf(keys.get(id) ?? [], id),
        ...countersOf(row),
        setups: (setups.get(id) ?? []).map((each) => {
          const own = (setupKeys.get(id) ?? []).filter((key) => key["setup"] === each["setup"]);
          return { setup: Number(each["setup"]), keys: keysOf(own, id), ...countersOf(each) };
        }),
        ...(row["credentials"] === null ? {} : { credentials: parsed<StoredCredentials>(row["credentials"], id) }),
        firstInterval: Number(row["first_interval"]),
        relay: (relay.get(id) ?? []).map((each) => ({ at: Number(each["at"]), connected: each["connected"] === 1 })),
        events: (events.get(id) ?? []).map(
          (each): LoggedEvent => ({
            log: Number(each["log"]),
            sequence: Number(each["sequence"]),
            at: Number(each["at"]),
            code: Number(each["code"]),
          }),
        ),
        settings: parsed<MeterSettings>(row["settings"], id),
      };
    });
  }

  write(systemTitle: string, change: MemoryChange): void {
    const meter = this.#ids.get(systemTitle);
    if (meter !== undefined) this.#pending.push({ meter, change });
  }

  get dirty(): boolean {
    return this.#pending.length > 0;
  }

  commit(): void {
    const pending = this.#pending;
    if (pending.length === 0) return;
    const withKeys = pending.some(({ change }) => change.kind === "key" || change.kind === "credentials");
    this.#transaction(withKeys, () => {
      for (const { meter, change } of lastCounters(pending)) this.#apply(meter, change);
    });
    this.#pending = [];
  }

  close(): void {
    this.commit();
    this.#database.close();
  }

  #transaction(waitForDisk: boolean, work: () => void): void {
    if (waitForDisk !== this.#waitsForDisk)
      this.#database.exec(`PRAGMA synchronous = ${waitForDisk ? "FULL" : "NORMAL"}`);
    this.#waitsForDisk = waitForDisk;
    this.#begin.run();
    try {
      work();
      this.#end.run();
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  #apply(meter: number, change: MemoryChange): void {
    switch (change.kind) {
      case "key": {
        const { setup, octets } = change;
        const purpose = PURPOSES.indexOf(change.purpose);
        if (setup === undefined) this.#statements.key.run(meter, purpose, octets);
        else this.#statements.setupKey.run(meter, setup, purpose, octets);
        return;
      }
      case "counters": {
        const { setup, send, unicast, broadcast } = change;
        if (setup === undefined) this.#statements.counters.run(send, unicast, broadcast, meter);
        else this.#statements.setupCounters.run(send, unicast, broadcast, meter, setup);
        return;
      }
      case "credentials":
        this.#statements.credentials.run(JSON.stringify(change.credentials), meter);
        return;
      case "relay":
        this.#statements.relay.run(meter, change.transition.at, change.transition.connected ? 1 : 0);
        return;
      case "event": {
        const { log, sequence, at, code } = change.event;
        this.#statements.event.run(meter, log, sequence % change.capacity, sequence, at, code);
        return;
      }
      case "settings":
        this.#statements.settings.run(JSON.stringify(change.settings), meter);
        return;
      default:
        change satisfies never;
    }
  }
}

/** Of the counters that a security setup noted one after the other the last ones stand for all; everything else stays. */
function lastCounters(pending: readonly Pending[]): readonly Pending[] {
  const last = new Map<string, Pending>();
  const line = ({ meter, change }: Pending) =>
    change.kind === "counters" ? `${meter}/${change.setup ?? 0}` : undefined;
  for (const one of pending) {
    const name = line(one);
    if (name !== undefined) last.set(name, one);
  }
  return pending.filter((one) => {
    const name = line(one);
    return name === undefined || last.get(name) === one;
  });
}

function countersOf(row: Record<string, unknown>): Omit<StoredSetup, "keys"> {
  return {
    sendCounter: Number(row["send"]),
    receivedUnicast: Number(row["unicast"]),
    receivedBroadcast: Number(row["broadcast"]),
  };
}

function open(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    // Exclusive locking keeps a second town out, and the log's index in our own memory.
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; BEGIN IMMEDIATE");
    const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"]);
    if (version > SCHEMA_VERSION) {
      throw new MeterError(
        "meter-nvm-schema-unknown",
        `${path} was written by a newer program (schema ${version}). Start that one.`,
      );
    }
    if (version === 0) database.exec(SCHEMA);
    if (version === 1) database.exec(ADD_CREDENTIALS);
    if (version === 1 || version === 2) database.exec(SETUPS);
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    database.exec("COMMIT");
    return database;
  } catch (cause) {
    database.close();
    if ((cause as { errcode?: unknown }).errcode === SQLITE_BUSY) {
      throw new MeterError("meter-nvm-locked", `Another process has the meters' memory ${path}. Stop it first.`, {
        cause,
      });
    }
    throw cause;
  }
}

const SQLITE_BUSY = 5;

function grouped(rows: readonly Record<string, unknown>[]): Map<number, Record<string, unknown>[]> {
  const groups = new Map<number, Record<string, unknown>[]>();
  for (const row of rows) {
    const meter = Number(row["meter"]);
    const group = groups.get(meter);
    if (group === undefined) groups.set(meter, [row]);
    else group.push(row);
  }
  return groups;
}

function keysOf(rows: readonly Record<string, unknown>[], meter: number): FactoryKeys {
  const key = (purpose: number): Uint8Array => {
    const octets = rows.find((row) => row["purpose"] === purpose)?.["octets"];
    if (octets instanceof Uint8Array) return octets;
    throw new MeterError(
      "meter-nvm-damaged",
      `The memory of meter ${meter} lacks key ${purpose}. Restore the town's directory.`,
    );
  };
  return {
    globalUnicastEncryptionKey: key(0),
    globalBroadcastEncryptionKey: key(1),
    authenticationKey: key(2),
    keyEncryptionKey: key(3),
  };
}

function parsed<T>(text: unknown, meter: number): T {
  try {
    return JSON.parse(String(text)) as T;
  } catch (cause) {
    throw new MeterError(
      "meter-nvm-damaged",
      `The memory of meter ${meter} is not readable. Restore the town's directory.`,
      { cause },
    );
  }
}
