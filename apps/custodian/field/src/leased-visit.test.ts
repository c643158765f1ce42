import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { test } from "node:test";
import { TestMeter } from "@meterkeep/custody/testing";
import { WRAPPER_HEADER_BYTES, writeWrapper } from "@meterkeep/dlms";
import type { ByteLine } from "./line/byte-line.ts";

/** What is used of a module that compiles with the browser's types alone. */
interface Visiting {
  visitLeased(visit: object, operation: "set-clock", meter: object): Promise<unknown>;
}
const { visitLeased } = (await import(new URL("leased-visit.ts", import.meta.url).href)) as Visiting;
const { journalOf } = (await import(new URL("lease.ts", import.meta.url).href)) as {
  journalOf(stored: Kept): { readonly acts: readonly unknown[] };
};

/** What the page keeps of a lease, as far as a visit goes. */
interface Kept {
  readonly file: string;
  readonly journal: string | undefined;
}

const TITLE = "5453540000000811";
const MANAGEMENT = 1;
const PUBLIC = 16;

/** A line to the meter as a bridge's of TCP is: each client of it has an association of its own. */
function lineTo(meter: TestMeter, withoutPublic = false): ByteLine {
  let onOctets: (octets: Uint8Array) => void = () => {};
  const connections = new Map<number, ReturnType<TestMeter["connect"]>>();
  return {
    address: "tcp://meter",
    link: "wrapper",
    isOptical: false,
    listen: (octets) => {
      onOctets = octets;
    },
    write: async (frame) => {
      const client = new DataView(frame.buffer).getUint16(2);
      const connection = connections.get(client) ?? meter.connect(client, 1);
      connections.set(client, connection);
      const isDeaf = withoutPublic && client === PUBLIC;
      // An exception-response: state-error, service-not-allowed.
      const answer = isDeaf ? Uint8Array.of(0xd8, 0x01, 0x01) : connection.exchange(frame.slice(WRAPPER_HEADER_BYTES));
      if (answer === undefined) return;
      const back = new Uint8Array(WRAPPER_HEADER_BYTES + answer.length);
      writeWrapper(1, client, answer, back);
      queueMicrotask(() => onOctets(back));
    },
    set: async () => {},
    close: async () => {},
  };
}

/** A phone with a lease of one meter: its storage, which a test can put back. */
async function phone(meter: TestMeter) {
  const pair = generateKeyPairSync("ed25519");
  const usable = (key: KeyObject, usage: "sign" | "verify") => key.toCryptoKey("Ed25519", false, [usage]);
  const leased = {
    meter: TITLE,
    label: "MKS1",
    profile: "idis-p2",
    securitySuite: 0,
    clients: { "set-clock": MANAGEMENT },
    first: 1000,
    count: 1024,
  };
  const terms = { lease: "00ff", format: "meterkeep-lease-1", client: "4D4B430102030405", meters: [leased] };
  const file = JSON.stringify({ terms: JSON.stringify(terms) });
  const storage: { lease: Kept } = { lease: { file, journal: undefined } };
  const memory = {
    get: async () => storage.lease,
    keep: async (_: string, lease: Kept) => {
      storage.lease = lease;
    },
  };
  const handheld = {
    keys: { signing: usable(pair.privateKey, "sign") },
    verifying: usable(pair.publicKey, "verify"),
  };
  const [encryptionKey, , authenticationKey] = meter.keys.map((key) => Uint8Array.from(key));
  const visit = async (line = lineTo(meter)): Promise<string> => {
    const keys = { encryptionKey, authenticationKey };
    try {
      await visitLeased({ memory, handheld, terms, keys, line }, "set-clock", leased);
      return "done";
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };
  const journal = () =>
    JSON.parse((JSON.parse(storage.lease.journal ?? "{}") as { text: string }).text) as {
      readonly used: readonly { readonly next: number }[];
      readonly passed: readonly { readonly meter: string; readonly first: number; readonly next: number }[];
      readonly acts: readonly { readonly outcome: string }[];
    };
  return { storage, visit, journal };
}

/** The test's meter has nobody set its clock: whoever is told so has been let in. */
const LET_IN = /read-write-denied/;

test("a phone that is put back within its lease uses no counter again: the meter says which it has taken, and the journal what it passed over", async () => {
  const meter = new TestMeter({ systemTitle: TITLE });
  const { storage, visit, journal } = await phone(meter);
  assert.match(await visit(), LET_IN);
  const [{ next: first } = assert.fail()] = journal().used;
  assert.equal(meter.lowestCounter, first);
  assert.ok(first > 1000 && first < 1096);
  const copy = storage.lease;
  assert.match(await visit(), LET_IN);
  const [{ next: second } = assert.fail()] = journal().used;
  assert.deepEqual([second > first, journal().passed], [true, []], "what it has used itself it does not pass over");
  storage.lease = copy;
  assert.match(await visit(), LET_IN, "the meter takes it, since it goes on above");
  assert.deepEqual(journal().passed, [{ meter: TITLE, first, next: second }]);
  assert.equal(journal().acts.length, 2);
  assert.ok((journal().used[0]?.next ?? 0) > second);
});

test("a journal that is torn, or that the handheld has not signed, is told as such, and no counter is used", async () => {
  const meter = new TestMeter({ systemTitle: TITLE });
  const { storage, visit } = await phone(meter);
  assert.match(await visit(), LET_IN);
  const { journal = "" } = storage.lease;
  const used = meter.lowestCounter;
  for (const strange of ["", "no JSON", "null", "{}", journal.slice(1), journal.replace("00ff", "00fe")]) {
    storage.lease = { ...storage.lease, journal: strange };
    assert.match(await visit(), /not what this handheld has signed/, strange);
  }
  assert.equal(meter.lowestCounter, used);
});

test("a journal that cannot be read is told as such where it is shown, too", async () => {
  const { storage, visit } = await phone(new TestMeter({ systemTitle: TITLE }));
  await visit();
  const { file, journal = "" } = storage.lease;
  assert.equal(journalOf({ file, journal }).acts.length, 1);
  assert.deepEqual(journalOf({ file, journal: undefined }).acts, []);
  for (const torn of ["", "no JSON", "null", "{}", '{"text":"{}"}', journal.slice(1), journal.slice(0, -40)])
    assert.throws(() => journalOf({ file, journal: torn }), {
      name: "FieldError",
      message: /have the meters lent anew/,
    });
});

test("a meter that shows nobody its counter is visited by the journal alone", async () => {
  const meter = new TestMeter({ systemTitle: TITLE });
  const { visit, journal } = await phone(meter);
  assert.match(await visit(lineTo(meter, true)), LET_IN);
  assert.deepEqual(journal().passed, []);
});

test("a meter whose counter is beyond the lease is not visited, and the journal says why", async () => {
  const meter = new TestMeter({ systemTitle: TITLE });
  meter.usedUpTo(5000);
  const { visit, journal } = await phone(meter);
  assert.match(await visit(), /no counters left/);
  assert.match(journal().acts[0]?.outcome ?? "", /no counters left/);
});
