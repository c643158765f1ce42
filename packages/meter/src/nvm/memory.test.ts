import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, test } from "node:test";
import { MeterError } from "../errors.ts";
import type { ProductionRecord } from "../production.ts";
import type { MeterMemory } from "./memory.ts";
import { SqliteMemory } from "./sqlite.ts";
import { VolatileMemory } from "./volatile.ts";

/** A store that can be opened again. */
interface Bench {
  readonly memory: MeterMemory;
  /** What the next process finds. */
  reopen(): MeterMemory;
  end(): void;
}

const ADAPTERS: Readonly<Record<string, () => Bench>> = {
  "the volatile memory": () => {
    let memory = new VolatileMemory();
    return {
      memory,
      reopen: () => {
        memory = memory.restart();
        return memory;
      },
      end: () => undefined,
    };
  },
  "the SQLite memory": () => {
    const directory = mkdtempSync(join(tmpdir(), "meterkeep-nvm-"));
    const open: { memory: MeterMemory | undefined } = { memory: undefined };
    const start = (): MeterMemory => {
      open.memory = new SqliteMemory(join(directory, "meters.sqlite"));
      return open.memory;
    };
    const memory = start();
    return {
      memory,
      reopen: () => {
        // Closing commits what was noted; real cuts are tested by killing a town.
        open.memory?.close();
        return start();
      },
      end: () => {
        open.memory?.close();
        rmSync(directory, { recursive: true });
      },
    };
  },
};

function record(n: number): ProductionRecord {
  const key = (fill: number): Uint8Array => new Uint8Array(16).fill(fill);
  return {
    systemTitle: `4D4B5601009896${n.toString(16).padStart(2, "0").toUpperCase()}`,
    logicalDeviceName: "MKV0010010000001",
    serialNumber: "2610000001",
    model: "MKV-I120",
    hardwareRevision: "C2",
    firmware: "I120-2.4.1",
    profile: "idis-p2",
    securitySuite: 0,
    keys: {
      globalUnicastEncryptionKey: key(1),
      globalBroadcastEncryptionKey: key(2),
      authenticationKey: key(3),
      keyEncryptionKey: key(4),
    },
    role: "home",
    phases: 1,
    seed: 9,
    feeder: "F1",
    position: 0.25,
    ratedKva: 0,
    depot: false,
    keyFault: "none",
    pushProtection: "authenticated-encrypted",
  };
}

for (const [name, start] of Object.entries(ADAPTERS)) {
  describe(name, () => {
    const withBench = (work: (bench: Bench) => void): void => {
      const bench = start();
      try {
        work(bench);
      } finally {
        bench.end();
      }
    };

    test("keeps meters as the factory made them, once", () => {
      withBench((bench) => {
        bench.memory.install([{ record: record(1), firstInterval: 100 }]);
        bench.memory.install([
          { record: { ...record(1), model: "another" }, firstInterval: 7 },
          { record: record(2), firstInterval: 101 },
        ]);
        const [first, second, ...rest] = bench.reopen().meters();
        assert.equal(rest.length, 0);
        const { keys, ...facts } = record(1);
        assert.deepEqual(first?.record, facts);
        assert.deepEqual({ ...first?.keys }, keys);
        assert.deepEqual([first?.firstInterval, second?.firstInterval], [100, 101]);
        assert.deepEqual([first?.sendCounter, first?.receivedUnicast, first?.receivedBroadcast], [0, -1, -1]);
      });
    });

    test("keeps the keys and counters of each security setup by themselves", () => {
      withBench((bench) => {
        const { memory } = bench;
        const key = (fill: number): Uint8Array => new Uint8Array(16).fill(fill);
        const { systemTitle: title, keys } = record(1);
        const setups = [1, 2].map((setup) => ({ setup, keys: { ...keys, authenticationKey: key(0x70 + setup) } }));
        memory.install([{ record: { ...record(1), setups }, firstInterval: 100 }]);
        memory.write(title, { kind: "counters", setup: 1, send: 10, unicast: 3, broadcast: -1 });
        memory.write(title, { kind: "counters", send: 64, unicast: 17, broadcast: -1 });
        memory.write(title, { kind: "counters", setup: 2, send: 30, unicast: 5, broadcast: -1 });
        memory.write(title, { kind: "counters", setup: 1, send: 20, unicast: 4, broadcast: -1 });
        memory.write(title, { kind: "key", setup: 2, purpose: "keyEncryptionKey", octets: key(0x55) });
        memory.commit();
        const [meter] = bench.reopen().meters();
        assert.deepEqual({ ...meter?.keys }, keys);
        assert.deepEqual([meter?.sendCounter, meter?.receivedUnicast], [64, 17]);
        assert.deepEqual(
          meter?.setups.map(({ setup, sendCounter, receivedUnicast }) => [setup, sendCounter, receivedUnicast]),
          [
            [1, 20, 4],
            [2, 30, 5],
          ],
        );
        assert.deepEqual(
          meter?.setups.map((one) => ({ ...one.keys })),
          [setups[0]?.keys, { ...setups[1]?.keys, keyEncryptionKey: key(0x55) }],
        );
        assert.ok(!("setups" in (meter?.record ?? {})), "keys are not kept twice");
      });
    });

    test("finds every kind of change again after a cut", () => {
      withBench((bench) => {
        const { memory } = bench;
        const title = record(1).systemTitle;
        memory.install([
          { record: record(1), firstInterval: 100 },
          { record: record(2), firstInterval: 100 },
        ]);
        memory.write(title, { kind: "key", purpose: "authenticationKey", octets: new Uint8Array(16).fill(9) });
        memory.write(title, { kind: "counters", send: 64, unicast: 17, broadcast: -1 });
        memory.write(title, { kind: "relay", transition: { at: 1000.5, connected: false } });
        memory.write(title, { kind: "relay", transition: { at: 2000, connected: true } });
        memory.write(title, { kind: "settings", settings: { limiterThresholdW: 3000, inField: true } });
        for (let sequence = 0; sequence < 7; sequence++) {
          memory.write(title, { kind: "event", event: { log: 1, sequence, at: 10 * sequence, code: 46 }, capacity: 5 });
        }
        assert.ok(memory.dirty);
        memory.commit();
        assert.ok(!memory.dirty);
        const [meter, other] = bench.reopen().meters();
        assert.deepEqual(meter?.keys.authenticationKey, new Uint8Array(16).fill(9));
        assert.deepEqual(meter?.keys.keyEncryptionKey, new Uint8Array(16).fill(4));
        assert.deepEqual([meter?.sendCounter, meter?.receivedUnicast], [64, 17]);
        assert.deepEqual(meter?.relay, [
          { at: 1000.5, connected: false },
          { at: 2000, connected: true },
        ]);
        assert.deepEqual(meter?.settings, { limiterThresholdW: 3000, inField: true });
        assert.deepEqual(
          meter?.events.map((event) => event.sequence),
          [2, 3, 4, 5, 6],
        );
        assert.deepEqual(other?.keys.authenticationKey, new Uint8Array(16).fill(3));
        assert.deepEqual(other?.events, []);
      });
    });
  });
}

test("a power cut undoes what was not committed, as a whole", () => {
  const memory = new VolatileMemory();
  memory.install([{ record: record(1), firstInterval: 1 }]);
  memory.write(record(1).systemTitle, { kind: "counters", send: 5, unicast: 5, broadcast: 5 });
  assert.equal(memory.restart().meters()[0]?.sendCounter, 0);
});

test("a memory from before meters had further security setups is gone on with", () => {
  const directory = mkdtempSync(join(tmpdir(), "meterkeep-nvm-"));
  const file = join(directory, "meters.sqlite");
  try {
    const before = new SqliteMemory(file);
    before.install([{ record: record(1), firstInterval: 100 }]);
    before.close();
    const database = new DatabaseSync(file);
    database.exec("DROP TABLE setup_keys; DROP TABLE setups; PRAGMA user_version = 2");
    database.close();
    const memory = new SqliteMemory(file);
    const setups = [{ setup: 1, keys: record(2).keys }];
    memory.install([{ record: { ...record(2), setups }, firstInterval: 100 }]);
    const [old, fresh] = memory.meters();
    assert.deepEqual([old?.setups, fresh?.setups.length], [[], 1]);
    memory.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("a second town is kept out of the SQLite memory", () => {
  const directory = mkdtempSync(join(tmpdir(), "meterkeep-nvm-"));
  const file = join(directory, "meters.sqlite");
  const first = new SqliteMemory(file);
  try {
    assert.throws(
      () => new SqliteMemory(file),
      (error) => error instanceof MeterError && error.code === "meter-nvm-locked",
    );
  } finally {
    first.close();
    rmSync(directory, { recursive: true });
  }
});
