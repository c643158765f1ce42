import { generateKeyPairSync } from "node:crypto";
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Custodian, MeterHolding } from "@meterkeep/api/custodian";
import { systemTitleText } from "@meterkeep/dlms";
import { type Approver, approveChange } from "@meterkeep/ledger";
import { createPool } from "@meterkeep/postgres";
import { CustodyError } from "../errors.ts";
import type { Custody } from "../service/custody.ts";
import { openCustody } from "../service/open-custody.ts";
import { postgresCustodyStore } from "../store/postgres-store.ts";
import { FIRST_SETUP, type MeterFile } from "../store/records.ts";
import { isTakeoverProven, journalOf, takenSetups } from "../takeover/view.ts";
import type { VaultSource } from "../vault/open-vault.ts";
import { openVault } from "../vault/open-vault.ts";
import { DRILL, type Find, failOver, linesOf, reusedCounters, takenCounters } from "./drill-lines.ts";
import { type MeterLine, proveMeter } from "./prove-meter.ts";
import type { RecoveryPrivateKey } from "./recovery-key.ts";
import { type Restored, restoreDatabase } from "./restore-database.ts";

/** So often a meter is asked that its head-end was speaking with each time. */
const MOST_ROUNDS = 10;
const LINE_PAUSE_MS = 1_000;
/** A ledger wants its loss approved, then that it goes on without its witnesses. */
const MOST_APPROVALS = 4;

type SetAside = Awaited<ReturnType<Custodian["drillCounters"]>>["counters"][number];

/** An empty database, as the role at run time and as its owner. */
export interface ScratchDatabase {
  readonly database: string;
  readonly ownerDatabase: string;
}

/** What a drill is made with. */
export interface DrillOptions {
  readonly file: string;
  readonly key: RecoveryPrivateKey;
  readonly vault: VaultSource;
  /** The folders of the custodian that is drilled: they are read and copied, never written. */
  readonly stateFolder: string;
  readonly escrowFolder: string;
  /** A folder of the drill's own. */
  readonly scratch: string;
  readonly newDatabase: () => Promise<ScratchDatabase>;
  /** The custodian that is drilled, as its operator. */
  readonly live: Pick<Custodian, "holdings" | "drillCounters" | "ledgerState">;
  /** Meters to be associated with. */
  readonly meters: readonly { readonly title: string; readonly connect: Connect }[];
  readonly version: string;
  readonly now: () => number;
  readonly onStep: (text: string) => void;
}

type Connect = (clientSap: number, serverSap: number) => Promise<MeterLine>;

/** One thing that a drill has looked at. */
export interface DrillFinding {
  readonly what: string;
  readonly passed: boolean;
  readonly detail: string;
}

/**
 * Restores a backup beside the custodian that it is of, and compares: the backup and the escrow alone hold every key of every
 * meter; counters go on above all that were used; a witness refuses the old database until its loss is approved; meters
 * open; a standby takes the place of the restored custodian and goes on above its counters, and that one does nothing more; and with
 * the change feed everything is as it is, revocations and all. Nothing of the custodian's own is changed but the counters that it
 * sets aside.
 */
export async function drillRestore(options: DrillOptions): Promise<readonly DrillFinding[]> {
  const { live, onStep } = options;
  const findings: DrillFinding[] = [];
  const find: Find = (what, passed, detail) => {
    findings.push({ what, passed, detail });
    onStep(`${passed ? "passed" : "FAILED"}  ${what}: ${detail}`);
  };
  const now = await allHoldings(live);
  const fromEscrow = await restored(options, "escrow", undefined);
  const { faults, entries: count, tables } = fromEscrow.restored;
  const rows = `${count} ledger entries, ${sum(tables)} rows`;
  find("the backup", faults === undefined, faults === undefined ? rows : `${rows}, of which ${faults.words}`);
  const { halt } = fromEscrow;
  find("a witness refuses the old database", halt === "ledger-restored", halt ?? "nothing was halted");
  try {
    const { custody } = fromEscrow;
    const held = await allHoldings(callsOf(custody));
    const missing = missingKeys(now, held);
    const keys = now.reduce((count, { keys: of }) => count + of.filter(({ check }) => check !== undefined).length, 0);
    find(
      "backup and escrow hold every key",
      missing.length === 0,
      missing.length === 0 ? `${keys} keys of ${now.length} meters` : `missing: ${missing.slice(0, 5).join(", ")}`,
    );
    const lines = linesOf(now);
    const reused = reusedCounters(await takenCounters(custody, lines));
    find(
      "counters go on above all that were used",
      reused.length === 0,
      reused.length === 0 ? `${lines.length} lines` : `below: ${reused.slice(0, 5).join(", ")}`,
    );
    await openMeters(options, fromEscrow, find);
    await failOver(custody, fromEscrow.standBy, lines, find);
  } finally {
    await fromEscrow.close();
  }
  const fromFeed = await restored(options, "feed", options.escrowFolder);
  try {
    const { replayed, entries } = fromFeed.restored;
    const { size } = await live.ledgerState({});
    find(
      "the change feed gives what was done since",
      replayed !== undefined && replayed.broken === undefined,
      replayed?.broken ?? `${replayed?.entries ?? 0} ledger entries, now ${entries} of ${size}`,
    );
    const held = await allHoldings(callsOf(fromFeed.custody));
    const lost = revocationsLost(now, held);
    find(
      "what was revoked or destroyed stays so",
      lost.length === 0,
      lost.length === 0 ? `${revoked(now).length} keys` : `usable again: ${lost.slice(0, 5).join(", ")}`,
    );
  } finally {
    await fromFeed.close();
  }
  return findings;
}

interface RestoredCustody {
  readonly custody: Custody;
  readonly restored: Restored;
  readonly halt: string | undefined;
  readonly url: string;
  /** Opens it once more, as a standby that finds the one that is open silent. */
  standBy(): Promise<Pick<RestoredCustody, "custody" | "close">>;
  close(): Promise<void>;
}

/** Restores into a scratch database and opens custody there, with the approvals of two keys made for it. */
async function restored(options: DrillOptions, name: string, feedFolder: string | undefined): Promise<RestoredCustody> {
  const { file, key, version, now, scratch, stateFolder, escrowFolder, newDatabase } = options;
  const target = await newDatabase();
  const result = await restoreDatabase({ file, key, feedFolder, ...target, version, now });
  const state = join(scratch, name);
  const escrow = join(scratch, `${name}-escrow`);
  for (const folder of [state, escrow]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const [from, to] of [
    [join(stateFolder, "ledger"), join(state, "ledger")],
    [join(escrowFolder, "keys.escrow"), join(escrow, "keys.escrow")],
  ] as const)
    if (existsSync(from)) cpSync(from, to, { recursive: true });
  const people = ["one", "other"].map((person) => ({ person, ...generateKeyPairSync("ed25519") }));
  const approvers = people.map(
    ({ person, publicKey }): Approver => ({
      name: person,
      publicKey: publicKey.export({ type: "spki", format: "pem" }) as string,
    }),
  );
  const approved = join(state, "ledger/approved-change.json");
  const approve = (change: string): void => {
    const approvals = people.map(({ person, privateKey }) => ({
      name: person,
      signature: approveChange(change, privateKey),
    }));
    writeFileSync(approved, JSON.stringify({ change, approvals }));
  };
  /** Opens it; where its ledger halts, anew with what it wants approved, and says at what it halted first. */
  const open = async (silentMilliseconds?: number) => {
    rmSync(approved, { force: true });
    let halt: string | undefined;
    for (let round = 1; ; round += 1) {
      const opened = await openScratch(options, target.database, state, escrow, approvers, silentMilliseconds);
      const { halt: now, wanted } = opened.custody.ledger.state;
      halt ??= now?.code;
      if (now === undefined || round === MOST_APPROVALS) return { ...opened, halt };
      await opened.close();
      approve(JSON.stringify({ ...wanted, reason: "a drill" }));
    }
  };
  return { ...(await open()), restored: result, url: target.database, standBy: () => open(0) };
}

async function openScratch(
  { vault, version, now }: DrillOptions,
  url: string,
  stateFolder: string,
  escrowFolder: string,
  approvers: readonly Approver[],
  silentMilliseconds: number | undefined,
): Promise<Pick<RestoredCustody, "custody" | "close">> {
  const pool = createPool(url, { applicationName: "meterkeep-drill" });
  const custody = await openCustody(
    pool,
    {
      vault,
      manufacturers: [],
      stateFolder,
      escrowFolder,
      version,
      separateUser: false,
      ledger: { approvers },
      now,
      onFailure: () => undefined,
    },
    { holder: "drill", silentMilliseconds, onLost: () => undefined },
  );
  return {
    custody,
    close: async () => {
      // All is let go by then: one whose place was taken has no word left to write.
      await custody.close().catch((error: unknown) => {
        if (!(error instanceof CustodyError && error.code === "custody-fenced")) throw error;
      });
      await pool.end();
    },
  };
}

function callsOf({ service }: Custody): Pick<Custodian, "holdings"> {
  return { holdings: (request) => service.holdings(request, DRILL) };
}

async function allHoldings(custodian: Pick<Custodian, "holdings">): Promise<readonly MeterHolding[]> {
  const all: MeterHolding[] = [];
  for (let after: MeterHolding["meter"] | undefined; ; ) {
    const { meters, next } = await custodian.holdings({ after });
    all.push(...meters);
    if (next === undefined) return all;
    after = next;
  }
}

type HeldKey = MeterHolding["keys"][number];

function missingKeys(now: readonly MeterHolding[], held: readonly MeterHolding[]): string[] {
  return compared(now, held, (key, same) => {
    if (key.check === undefined) return false;
    return same?.check === undefined || !Buffer.from(same.check).equals(key.check);
  });
}

function revocationsLost(now: readonly MeterHolding[], held: readonly MeterHolding[]): string[] {
  return compared(now, held, (key, same) => isRevoked(key) && (same === undefined || same.state !== key.state));
}

function revoked(now: readonly MeterHolding[]): readonly HeldKey[] {
  return now.flatMap(({ keys }) => keys.filter(isRevoked));
}

function isRevoked({ state }: HeldKey): boolean {
  return state === "compromised" || state.startsWith("destroyed");
}

function compared(
  now: readonly MeterHolding[],
  held: readonly MeterHolding[],
  isWrong: (key: HeldKey, same: HeldKey | undefined) => boolean,
): string[] {
  const byTitle = new Map(held.map((one) => [systemTitleText(one.meter), one]));
  return now.flatMap(({ meter, keys }) => {
    const title = systemTitleText(meter);
    const own = byTitle.get(title)?.keys ?? [];
    return keys.flatMap((key) => {
      const same = own.find(
        (one) => one.setup === key.setup && one.purpose === key.purpose && one.version === key.version,
      );
      return isWrong(key, same) ? [`${title} ${key.purpose} ${key.version}`] : [];
    });
  });
}

async function openMeters(
  { live, meters, vault: source, now }: DrillOptions,
  { custody, url }: RestoredCustody,
  find: Find,
): Promise<void> {
  if (meters.length === 0) return;
  const pool = createPool(url, { applicationName: "meterkeep-drill" });
  const store = postgresCustodyStore(pool);
  const opened = await openVault(store, source, now());
  const failed: string[] = [];
  let associated = 0;
  try {
    for (const { title, connect } of meters) {
      const file = await store.load(title);
      if (file === undefined) {
        failed.push(`${title} is not in the backup`);
        continue;
      }
      const parts = { vault: opened.vault, recipientKeyId: custody.recipient.keyId, connect };
      const reasons: string[] = [];
      for (const setup of provenSetups(file)) {
        const countersNow = async () => (await live.drillCounters({ meters: [titleOf(title)], setup })).counters[0];
        const why = await openMeter((counters) => proveMeter(parts, file, counters, setup), countersNow);
        const where = setup === FIRST_SETUP ? "" : `security setup ${setup}: `;
        if (why !== undefined) reasons.push(`${title} (${where}${why})`);
      }
      if (reasons.length === 0) associated += 1;
      failed.push(...reasons);
    }
  } finally {
    await opened.close();
    await pool.end();
  }
  find(
    "meters open with the restored keys",
    failed.length === 0,
    failed.length === 0 ? `associated with ${associated} meters` : `not with ${failed.slice(0, 5).join(", ")}`,
  );
}

/** The first setup, and those beside it whose takeover is proven. */
function provenSetups(file: MeterFile): readonly number[] {
  return takenSetups(file).filter((setup) => setup === FIRST_SETUP || isTakeoverProven(journalOf(file, setup).journal));
}

/**
 * The head-end goes on reading its meters while the drill runs, and a meter has one line. Where that was taken, or the head-end
 * took counters between ours and our word to the meter so that ours are too low by now, nothing is proven: it is asked again.
 * One that refuses although nobody came between is not, since meters lock up after a few refusals.
 *
 * @returns why it does not open; undefined where it does
 */
async function openMeter(
  prove: (counters: SetAside) => Promise<unknown>,
  countersNow: () => Promise<SetAside | undefined>,
): Promise<string | undefined> {
  for (let round = 1, counters = await countersNow(); ; round += 1) {
    if (counters === undefined || counters.count === 0) return "the custodian sets no counters of it aside";
    let why: string | undefined;
    try {
      if ((await prove(counters)) !== undefined) return undefined;
    } catch (error) {
      why = error instanceof Error ? error.message : String(error);
      await sleep(LINE_PAUSE_MS);
    }
    const next = await countersNow();
    const isOvertaken = next !== undefined && next.first !== counters.first + counters.count;
    if (why === undefined && !isOvertaken) return "it refused them";
    if (round === MOST_ROUNDS) return why ?? "it refused them, each time after somebody else had come between";
    counters = next;
  }
}

function titleOf(text: string): MeterHolding["meter"] {
  return new Uint8Array(Buffer.from(text, "hex")) as MeterHolding["meter"];
}

function sum(tables: Readonly<Record<string, number>>): number {
  return Object.values(tables).reduce((all, rows) => all + rows, 0);
}
