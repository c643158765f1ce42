import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { openCustodyIn } from "../service/open-custody.ts";
import { memoryCustodyStore } from "../store/memory-store.ts";
import type { CustodyStore } from "../store/store.ts";
import { AuthorityWorld, DISCONNECT, OPERATOR, person } from "../testing/authority-world.ts";
import { headEndFor } from "../testing/key-service-bench.ts";
import { testCredential } from "../testing/test-credential.ts";
import { TEST_PACE, withTestCustody } from "../testing/test-custody.ts";
import { type FeedChange, feedingStore } from "./feeding-store.ts";
import { MADE_GOOD } from "./losses.ts";
import { replay } from "./replay.ts";

const DISCONNECT_APDU = fromHex("c301c10046000060030aff01010f00");

test("a custodian that is killed before or after any commit of making good forgets nothing that was withdrawn, and counts no seal twice", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-killed-good-"));
  const vault = { kind: "file", path: join(folder, "root.key") } as const;
  const [now, later] = [join(folder, "now"), join(folder, "later")];
  let [clock, titles]: [number, readonly string[]] = [0, []];
  /** What was ever changed in the database, and how much of it comes back. */
  const changes: FeedChange[] = [];
  let then = 0;
  const note = async (change: FeedChange) => void changes.push(change);
  try {
    await withTestCustody(
      async (custody) => {
        const world = await AuthorityWorld.open(custody);
        for (const who of [person("Carl", "operations"), person("Dora", "security")]) await world.enrolFurther(who);
        const { service } = custody.custody;
        const headEnd = headEndFor("acme", testCredential("acme").certificate);
        await world.agreed(() => service.enrolHeadEnd({ headEnd, reason: "a test" }, OPERATOR));
        const [stolen, retired, hoarded] = [await world.meter(1), await world.meter(2), await world.meter(3)];
        await custody.custody.sweep();
        then = changes.length;

        const titleOf = ({ systemTitle: title }: typeof stolen) => systemTitle(fromHex(title));
        const gak = { purpose: "GAK", version: 2, client: undefined, reason: "seen" } as const;
        await service.changeKeyState({ ...gak, meter: titleOf(stolen), command: "compromise" }, OPERATOR);
        await service.suspendApprover({ approver: "carl", reason: "has left" }, OPERATOR);
        await world.change("remove-approver", { approver: "dora" });
        await service.removeHeadEnd({ name: "acme", reason: "stolen" }, OPERATOR);
        const sender = { flag: "TST", name: "us" };
        const departing = { meters: [titleOf(retired)], how: "retired", reason: "scrap", sender, recipient: undefined };
        await world.agreed(() => service.departMeters(departing as never, OPERATOR));
        const hash = await world.approved(DISCONNECT, [hoarded.systemTitle]);
        await world.command(hoarded, DISCONNECT_APDU, world.token(hash, hoarded.systemTitle), false);
        titles = [stolen, retired].map((meter) => meter.systemTitle);
        clock = custody.now;
        await custody.custody.close();
        cpSync(now, later, { recursive: true });
      },
      feedingStore(memoryCustodyStore(), { note, lose: assert.fail }, () => 0),
      { vault, escrowFolder: now, stateFolder: join(folder, "state") },
    );
    const [stolen = "", retired = ""] = titles;
    let runs = 0;

    /** Starts on what comes back, killed at a commit, and then once more; gives how many commits the first start made. */
    const play = async (at: number | undefined, when: "before" | "after"): Promise<number> => {
      runs += 1;
      const told = `killed ${when} commit ${at}`;
      const store = memoryCustodyStore();
      await replay(store, Readable.from(changes.slice(0, then)));
      const [escrowFolder, stateFolder] = [join(folder, `second-${runs}`), join(folder, `state-${runs}`)];
      cpSync(later, escrowFolder, { recursive: true });
      const start = (mortal: CustodyStore) =>
        openCustodyIn(mortal, {
          ...{ vault, escrowFolder, stateFolder, pace: TEST_PACE, manufacturers: [], version: "test" },
          separateUser: false,
          now: () => clock,
          onFailure: () => undefined,
        });
      let [commits, isDead] = [0, false];
      const mortal: CustodyStore = {
        ...store,
        commit: async (writes, growth) => {
          if (isDead) throw new Error("the process is dead");
          isDead = commits === at;
          commits += 1;
          if (!isDead || when === "after") await store.commit(writes, growth);
          if (isDead) throw new Error("the process died");
        },
      };
      const first = await start(mortal).catch((error: unknown) => {
        assert.ok(isDead, `${told}: ${String(error)}`);
        return undefined;
      });
      const made = commits;
      if (!isDead) await first?.close();
      isDead = true;
      const back = await start(store);
      const state = await back.service.authorityState({}, OPERATOR);
      assert.match(state.frozen?.reason ?? "", /the database lost what it knew/, told);
      assert.deepEqual([state.counts.day, state.unsettled], [1, 1], told);
      assert.ok(state.approvers.find(({ id }) => id === "carl")?.suspended !== undefined, told);
      assert.ok(!state.approvers.some(({ id, suspended }) => id === "dora" && suspended === undefined), told);
      const keys = (await store.load(stolen))?.keys ?? [];
      assert.equal(keys.find(({ purpose, version }) => purpose === 2 && version === 2)?.state, "compromised", told);
      assert.equal((await store.load(retired))?.meter.standing, "retired", told);
      assert.deepEqual((await back.service.headEnds({}, OPERATOR)).headEnds, [], told);
      assert.equal((await store.ledger.ofKinds([MADE_GOOD])).length, 1, told);
      await back.close();
      return made;
    };
    const commits = await play(undefined, "before");
    assert.ok(commits >= 8, `${commits} commits`);
    for (let at = 0; at < commits; at += 1) for (const when of ["before", "after"] as const) await play(at, when);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
