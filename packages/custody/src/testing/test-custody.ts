import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CustodianRole, TakeoverState, TakeoverStep } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { SecretKey } from "@meterkeep/dlms-node";
import type { Caller } from "../calls/caller.ts";
import { isUnique } from "../keys/purposes.ts";
import { withMeterMacs } from "../records/record-mac.ts";
import type { Custody, CustodyOptions } from "../service/custody.ts";
import { openCustodyIn } from "../service/open-custody.ts";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { type KeyRecord, type MeterRecord, type PurposeNumber, SECRET } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import type { Pace } from "../takeover/candidates.ts";
import { openVault } from "../vault/open-vault.ts";
import type { Vault } from "../vault/vault.ts";
import type { MeterFault, TestMeter } from "./test-meter.ts";

export const TEST_PACE: Pace = {
  sameKeysMilliseconds: 60_000,
  anyKeysMilliseconds: 1000,
  firstRetryMilliseconds: 500,
  lockOutMilliseconds: 2000,
};

/** By when budgets of the usual size are full after a start. */
const FILLING_MILLISECONDS = 130_000;

/** A process that dies: the store stops where a test says. */
export class Crash extends Error {}

/** Custody over a store that survives its crashes, and a clock set by hand. */
export interface TestCustody {
  readonly store: CustodyStore;
  readonly vault: Vault;
  now: number;
  /** Kills the process at a commit, counted from now on from 0: before it is written, or after. */
  crashAt(commit: number | undefined, when: "before" | "after"): void;
  /** Commits since `crashAt` was last called. */
  commits: number;
  custody: Custody;
  /** The process as it comes up again from what is stored. */
  restart(): Promise<void>;
  add(meter: AddedMeter, change?: Partial<MeterRecord>): Promise<void>;
}

/** A meter, as far as tests give it to custody and carry octets to it. */
export type AddedMeter = Pick<TestMeter, "systemTitle" | "logicalDeviceName" | "factoryKeys" | "factorySecrets"> &
  Partial<Pick<TestMeter, "setups">>;
export type CarriedMeter = Pick<TestMeter, "systemTitle" | "connect"> & { fault: MeterFault };

export const caller = (role: CustodianRole): Caller => ({ name: role, role });
export const HEAD_END = caller("head-end");
export const DEPOT = caller("depot");

/** Opens custody for a test, in memory unless a store is given. */
export async function withTestCustody(
  body: (test: TestCustody) => Promise<void>,
  store: CustodyStore = memoryCustodyStore(),
  change: Partial<
    Pick<
      CustodyOptions,
      | "sealBudget"
      | "mostSessions"
      | "vault"
      | "keeping"
      | "manufacturers"
      | "escrowFolder"
      | "stateFolder"
      | "onFailure"
      | "monotonic"
      | "page"
      | "pki"
    >
  > = {},
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-custody-"));
  const source = change.vault ?? ({ kind: "file", path: join(folder, "root.key") } as const);
  const opened = await openVault(store, source, 0);
  let plan: { readonly at: number; readonly when: "before" | "after" } | undefined;
  const test: Omit<TestCustody, "custody"> & { custody: Custody | undefined } = {
    store,
    vault: opened.vault,
    now: 1_795_000_000_000,
    commits: 0,
    custody: undefined,
    crashAt: (at, when) => {
      plan = at === undefined ? undefined : { at, when };
      test.commits = 0;
    },
    restart: async () => {
      test.custody = await openCustodyIn(mortal(), {
        vault: source,
        manufacturers: [],
        stateFolder: folder,
        version: "test",
        separateUser: false,
        pace: TEST_PACE,
        now: () => test.now,
        onFailure: (error) => {
          if (!(error instanceof Crash)) throw error;
        },
        ...change,
      });
    },
    add: (meter, change) => addToCustody(test.store, test.vault, meter, test.now, change),
  };
  let processes = 0;
  /** The store as one process sees it: once another has come up it writes nothing more, whatever it had begun. */
  const mortal = (): CustodyStore => {
    processes += 1;
    const own = processes;
    return {
      ...store,
      commit: async (writes, growth) => {
        if (own !== processes) throw new Crash("the process is dead");
        const here = plan?.at === test.commits ? plan : undefined;
        test.commits += 1;
        if (here === undefined) return store.commit(writes, growth);
        plan = undefined;
        if (here.when === "after") await store.commit(writes, growth);
        throw new Crash(`the process died ${here.when} commit ${here.at}`);
      },
    };
  };
  try {
    await test.restart();
    // Budgets begin low.
    test.now += FILLING_MILLISECONDS;
    await body(test as TestCustody);
    // Tokens are processes of their own.
    if (source.kind === "tokens") await test.custody?.close();
  } finally {
    // What is under way in the store ends before the store does.
    await test.custody?.ledger.checkpoint().catch(() => undefined);
    await opened.close();
    rmSync(folder, { recursive: true });
  }
}

/** Puts a meter with its factory keys into custody. */
export async function addToCustody(
  store: CustodyStore,
  vault: Vault,
  meter: AddedMeter,
  at: number,
  change: Partial<MeterRecord> = {},
): Promise<void> {
  const number = Number.parseInt(meter.systemTitle.slice(6), 16);
  const record: MeterRecord = {
    utility: "stadtwerke",
    island: "mainland",
    systemTitle: meter.systemTitle,
    origin: "shipped",
    logicalDeviceName: meter.logicalDeviceName,
    serialNumber: String(number),
    model: "T-100",
    hardwareRevision: "A",
    firmware: "1.0",
    profile: "idis-p2",
    securitySuite: 0,
    manufacturer: { flag: "TST", name: "Test Meters" },
    holders: ["Test Meters"],
    shipment: { id: "00".repeat(16), line: number },
    createdAt: at,
    ...change,
  };
  const { optical, setting } = meter.factorySecrets;
  const told = [
    ...meter.factoryKeys.map((octets, purpose) => ({ octets, purpose, setup: 0 })),
    ...(optical === undefined ? [] : [{ octets: optical, purpose: SECRET.LLS, setup: 34 }]),
    ...(setting === undefined ? [] : [{ octets: setting, purpose: SECRET.HLS, setup: 48 }]),
    ...(meter.setups ?? [])
      .slice(1)
      .flatMap(({ factoryKeys }, at) => factoryKeys.map((octets, purpose) => ({ octets, purpose, setup: at + 1 }))),
  ];
  const secrets = told.map(({ octets }) => SecretKey.copy(octets));
  const sealed = await vault.seal(
    told.map(({ purpose, setup }, at) => ({
      place: { ...record, systemTitle: fromHex(record.systemTitle), setup, purpose, version: 1 },
      key: secrets[at] as SecretKey,
    })),
  );
  const keys = sealed.map(
    (octets, nth): KeyRecord => ({
      utility: record.utility,
      island: record.island,
      systemTitle: record.systemTitle,
      setup: told[nth]?.setup ?? 0,
      purpose: told[nth]?.purpose as PurposeNumber,
      version: 1,
      state: "active",
      origin: "imported",
      sealed: octets,
      createdAt: at,
      provenAt: undefined,
    }),
  );
  const wanted = change.origin === "added" ? keys.filter(({ purpose }) => purpose !== 3 && purpose !== 1) : keys;
  const checkValues = await vault.checkValues(secrets.filter((_, at) => isUnique(told[at]?.purpose as number)));
  const [known] = (await withMeterMacs(vault, [record])) as [MeterRecord];
  await store.commit([{ kind: "add-meter", meter: known, keys: wanted, checkValues }]);
}

/** What a carrier of octets saw. */
export interface Carried {
  readonly state: TakeoverState;
  readonly contacts: number;
  readonly crashes: number;
  /** Steps of the APDUs that went to the meter. */
  readonly steps: readonly string[];
}

/**
 * Carries octets between a custodian and a meter until nothing is left to do, restarting the custodian when it dies and
 * reporting what the meter's faults do to the line. `faults` strike the APDUs sent, in turn.
 */
export async function carryTakeover(
  test: TestCustody,
  meter: CarriedMeter,
  options: { readonly by?: Caller; readonly faults?: readonly MeterFault[]; readonly until?: TakeoverStep } = {},
): Promise<Carried> {
  const by = options.by ?? HEAD_END;
  const faults = [...(options.faults ?? [])];
  const title = systemTitle(fromHex(meter.systemTitle));
  const steps: string[] = [];
  let crashes = 0;
  for (let contacts = 1; contacts < 200; contacts += 1) {
    test.now += 10;
    try {
      const next = await test.custody.service.nextContact({ meter: title }, by);
      if (next.kind === "nothing") return { state: next.state, contacts, crashes, steps };
      if (next.kind === "wait") {
        test.now += next.milliseconds;
        continue;
      }
      if (next.step === options.until) {
        const event = { kind: "lost", reason: "unreachable" } as const;
        await test.custody.service.advanceContact({ contact: next.contact, event }, by);
        throw new Error(`stopped before ${next.step}`);
      }
      const line = meter.connect(next.clientSap, next.serverSap);
      let { step, apdu } = next;
      for (;;) {
        steps.push(step);
        test.now += 10;
        meter.fault = faults.shift() ?? "none";
        const answer = line.exchange(apdu);
        const event =
          answer === undefined
            ? ({ kind: "lost", reason: "timed-out" } as const)
            : ({ kind: "received", apdu: answer } as const);
        const advanced = await test.custody.service.advanceContact({ contact: next.contact, event }, by);
        if (advanced.kind === "close") {
          // Nobody waits for what rests.
          if (advanced.next !== "done") test.now += advanced.milliseconds;
          break;
        }
        ({ step, apdu } = advanced);
      }
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      crashes += 1;
      test.now += 1000;
      await test.restart();
    }
  }
  throw new Error(`no end: ${JSON.stringify((await test.store.load(meter.systemTitle))?.takeovers)}`);
}

/** The octets of keys that custody holds for a meter, as hex, by purpose. */
export async function heldKeys(test: TestCustody, meter: TestMeter): Promise<readonly string[][]> {
  const file = await test.store.load(meter.systemTitle);
  const held: string[][] = [[], [], [], []];
  for (const record of file?.keys ?? []) {
    const place = { ...record, systemTitle: fromHex(record.systemTitle) };
    const [key] = await test.vault.unseal([{ place, sealed: record.sealed }]);
    held[record.purpose]?.push(key?.lend((octets) => Buffer.from(octets).toString("hex")) ?? "");
  }
  return held;
}
