import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fromHex } from "@meterkeep/dlms";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { AuthorityWorld, DISCONNECT, OPERATOR, person } from "../testing/authority-world.ts";
import { type TestCustody, withTestCustody } from "../testing/test-custody.ts";
import { WITHDRAWALS_BROKEN } from "./bound-withdrawals.ts";
import { WITHDRAWALS } from "./withdrawals.ts";

const DISCONNECT_APDU = fromHex("c301c10046000060030aff01010f00");

/** Custody with a second storage that tests write on; what it complains of is kept. */
async function withJournal(
  body: (bench: {
    readonly custody: TestCustody;
    readonly world: AuthorityWorld;
    readonly path: string;
    readonly stateFolder: string;
    readonly lines: () => string[];
    readonly write: (lines: readonly string[]) => void;
    readonly complaints: string[];
    readonly frozen: () => Promise<string | undefined>;
  }) => Promise<void>,
): Promise<void> {
  const stateFolder = mkdtempSync(join(tmpdir(), "meterkeep-state-"));
  const escrowFolder = join(stateFolder, "second");
  const path = join(escrowFolder, WITHDRAWALS.file);
  const complaints: string[] = [];
  const onFailure = (error: unknown) => complaints.push(String(error));
  try {
    await withTestCustody(
      async (custody) => {
        const world = await AuthorityWorld.open(custody);
        for (const who of [person("Carl", "operations"), person("Dora", "security"), person("Emil", "security")])
          await world.enrolFurther(who);
        await body({
          custody,
          world,
          path,
          stateFolder,
          lines: () =>
            readFileSync(path, "utf8")
              .split("\n")
              .filter((line) => line !== ""),
          write: (lines) => writeFileSync(path, lines.map((line) => `\n${line}\n`).join("")),
          complaints,
          frozen: async () => (await world.service.authorityState({}, OPERATOR)).frozen?.reason,
        });
      },
      memoryCustodyStore(),
      { stateFolder, escrowFolder, onFailure },
    );
  } finally {
    rmSync(stateFolder, { recursive: true });
  }
}

const broken = async ({ store }: TestCustody) =>
  (await store.ledger.ofKinds([WITHDRAWALS_BROKEN])).map(
    ({ body }) => JSON.parse(body) as { readonly problems: readonly string[]; readonly accepted?: boolean },
  );

test("a journal whose last lines were cut off freezes everything critical, start after start, until two people thaw", () =>
  withJournal(async ({ custody, world, lines, write, complaints, frozen }) => {
    await world.service.suspendApprover({ approver: "carl", reason: "has left" }, OPERATOR);
    await custody.custody.sweep();
    const whole = lines();
    write(whole.slice(0, -1));
    await custody.restart();
    assert.match(
      (await frozen()) ?? "",
      /^the journal of withdrawals on second storage is not what was written: by the ledger it had \d+ lines/,
    );
    assert.match(complaints.join(), /have two people thaw/);
    const { ledgerTrouble } = await world.service.status({}, OPERATOR);
    assert.equal(ledgerTrouble?.code, "withdrawals-broken");
    await custody.restart();
    assert.ok((await broken(custody)).length >= 2, "nobody has accepted it");
    const since = (await world.service.authorityState({}, OPERATOR)).frozen?.since;
    await world.change("thaw", { since });
    await custody.custody.sweep();
    await custody.restart();
    assert.equal(await frozen(), undefined);
    assert.equal((await world.service.status({}, OPERATOR)).ledgerTrouble, undefined);
  }));

test("a whole file that is put back is believed again", () =>
  withJournal(async ({ custody, world, lines, write, frozen }) => {
    await world.service.suspendApprover({ approver: "carl", reason: "has left" }, OPERATOR);
    await custody.custody.sweep();
    const whole = lines();
    write(whole.slice(0, -1));
    await custody.restart();
    assert.notEqual(await frozen(), undefined);
    write(whole);
    const told = (await broken(custody)).length;
    await custody.restart();
    assert.equal((await broken(custody)).length, told);
    assert.equal((await world.service.status({}, OPERATOR)).ledgerTrouble, undefined);
  }));

test("a line that is taken out or moved is found at the next start, and a file that is deleted while the custodian runs at the next look", () =>
  withJournal(async ({ custody, world, path, lines, write, frozen }) => {
    for (const approver of ["carl", "dora"])
      await world.service.suspendApprover({ approver, reason: "has left" }, OPERATOR);
    await custody.custody.sweep();
    const [first = "", second = "", ...others] = lines();
    write([first, ...others, second]);
    await custody.restart();
    assert.match((await frozen()) ?? "", /line \d+ of the file has the number 3 where 2 follows|it had \d+ lines/);
    write([first, second, ...others]);
    await custody.restart();
    await world.change("thaw", { since: (await world.service.authorityState({}, OPERATOR)).frozen?.since });
    await custody.custody.sweep();
    unlinkSync(path);
    await custody.custody.sweep();
    assert.match((await frozen()) ?? "", /by the ledger it had \d+ lines, and they are not there/);
    // What is withdrawn is noted all the same.
    await world.service.suspendApprover({ approver: "emil", reason: "has left" }, OPERATOR);
    assert.match(readFileSync(path, "utf8"), /approver-suspended/);
  }));

test("what was withdrawn since the journal was noted last is missed as well, and written into it", () =>
  withJournal(async ({ custody, world, lines, write, frozen }) => {
    await custody.custody.sweep();
    const before = lines();
    await world.service.suspendApprover({ approver: "carl", reason: "has left" }, OPERATOR);
    write(before);
    await custody.restart();
    assert.match((await frozen()) ?? "", /1 withdrawals of the ledger were not in it/);
    assert.match(lines().join(), /approver-suspended/);
  }));

test("a command that was sealed since then is missed as well, and its line is written into it again", () =>
  withJournal(async ({ custody, world, lines, write, frozen }) => {
    const meter = await world.meter(1);
    const hash = await world.approved(DISCONNECT, [meter.systemTitle]);
    await custody.custody.sweep();
    const before = lines();
    const { kind } = await world.command(meter, DISCONNECT_APDU, world.token(hash, meter.systemTitle), false);
    assert.equal(kind, "sealed");
    const sealed = () => lines().filter((line) => line.includes('"kind":"seal"')).length;
    assert.equal(sealed(), 1);
    write(before);
    await custody.restart();
    assert.match((await frozen()) ?? "", /1 withdrawals of the ledger were not in it/);
    assert.equal(sealed(), 1);
  }));

test("the state folder knows of each line when what it withdraws is done: nothing is left for who cuts it off the moment after", () =>
  withJournal(async ({ custody, world, stateFolder, lines, write, frozen }) => {
    const known = () =>
      JSON.parse(readFileSync(join(stateFolder, "withdrawals-head.json"), "utf8")) as { readonly lines: number };
    await custody.custody.sweep();
    const before = lines();
    await world.service.suspendApprover({ approver: "carl", reason: "has left" }, OPERATOR);
    assert.equal(known().lines, lines().length);
    write(before);
    // What was known of a cut journal stays known, whatever is written behind the cut.
    await world.service.suspendApprover({ approver: "dora", reason: "has left" }, OPERATOR);
    await custody.restart();
    assert.match((await frozen()) ?? "", new RegExp(`by the state folder it had ${before.length + 1} lines`));
  }));
