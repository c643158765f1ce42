import assert from "node:assert/strict";
import { test } from "node:test";
import { type KEY_COMMANDS, KEY_PURPOSES } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { SecretKey } from "@meterkeep/dlms-node";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { growthMacs } from "../ledger/entry-macs.ts";
import { GroupCommitter } from "../store/committer.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import type { PurposeNumber } from "../store/records.ts";
import type { CustodyStore } from "../store/store.ts";
import { AuthorityWorld, OPERATOR } from "../testing/authority-world.ts";
import { HEAD_END, withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { PURPOSES, purposeName } from "./purposes.ts";

const TITLE = "5453540000000701";
/** Not on the meter as far as its journal knows: a version that nothing else has. */
const VERSION = 90;
/** A security setup, client or channel that it has nothing at. */
const SETUP = 77;
const STATES_CHANGED = "key-states-changed";
/** Who has made the keys of the test. */
const MADE_HERE = "test";

test("every purpose is a row, found by the number that the database keeps", () => {
  assert.deepEqual(Object.keys(PURPOSES).sort(), [...KEY_PURPOSES].sort());
  for (const [number, name] of KEY_PURPOSES.entries()) assert.equal(purposeName(number), name);
  assert.throws(() => purposeName(KEY_PURPOSES.length), RangeError);
});

test("a key of any purpose is kept, and goes through the states of NIST SP 800-57 by commands that the ledger has", async () => {
  const there = (store?: CustodyStore) =>
    withTestCustody(async (custody) => {
      const meter = new TestMeter({ systemTitle: TITLE });
      await custody.add(meter);
      const world = await AuthorityWorld.open(custody);
      let kept = 0;
      for (const [number, purpose] of KEY_PURPOSES.entries()) {
        const add = async (version: number) => {
          const place = { utility: "stadtwerke", island: "mainland", systemTitle: TITLE, setup: SETUP };
          const named = { ...place, purpose: number as PurposeNumber, version };
          const key = SecretKey.random(16);
          const [sealed] = await custody.vault.seal([{ place: { ...named, systemTitle: fromHex(TITLE) }, key }]);
          const record = { ...named, state: "active", origin: "generated", createdAt: custody.now } as const;
          const keys = [{ ...record, sealed: sealed as Uint8Array, provenAt: undefined }];
          // In use by the ledger, which is written while no custodian runs over the store.
          const { systemTitle: came, setup: _setup, purpose: _purpose, version: _version, ...of } = named;
          const body = { changes: [{ purpose, setup: SETUP, version, to: "active" }] };
          await custody.custody.close();
          const committer = new GroupCommitter(custody.store, { bind: (growth) => growthMacs(custody.vault, growth) });
          await committer.submit({
            writes: [{ kind: "add-keys", keys, checkValues: await custody.vault.checkValues([key]) }],
            entries: [{ at: custody.now, kind: STATES_CHANGED, principal: MADE_HERE, ...of, meter: came, body }],
          });
          await committer.close();
          await custody.restart();
        };
        await add(VERSION);
        const stateNow = async () =>
          (await world.service.describeKeys({ meter: systemTitle(fromHex(TITLE)) }, HEAD_END)).keys.find(
            (one) => one.purpose === purpose && one.version === VERSION,
          )?.state;
        // Keys of a setup are those of the first unless theirs is said.
        const setup = PURPOSES[purpose].scope === "security setup" ? SETUP : undefined;
        const change = async (command: (typeof KEY_COMMANDS)[number]) => {
          const request = { meter: systemTitle(fromHex(TITLE)), purpose, version: VERSION, command, reason: "a test" };
          const ask = () => world.service.changeKeyState({ ...request, setup }, OPERATOR);
          const takesTwo = command === "resume" || command === "destroy";
          await ask().catch(async (error: { readonly code?: string }) => {
            if (!takesTwo || error.code !== "approval-required") throw error;
            await world.agreed(ask);
          });
          return stateNow();
        };
        const elsewhere = { purpose, version: VERSION, command: "suspend", reason: "a test" } as const;
        await assert.rejects(
          world.service.changeKeyState(
            { ...elsewhere, meter: systemTitle(fromHex(TITLE)), setup: setup === undefined ? SETUP : undefined },
            OPERATOR,
          ),
          { code: "key-unknown" },
          "no key of a setup is one of another, and no secret of a client is one of a setup",
        );
        assert.equal(await change("suspend"), "suspended", purpose);
        assert.equal(await change("resume"), "active", purpose);
        assert.equal(await change("compromise"), "compromised", purpose);
        await assert.rejects(change("resume"), { code: "key-transition-refused" });
        await assert.rejects(change("destroy"), { code: "key-transition-refused" }, "without a successor");
        await add(VERSION + 1);
        // What no journal says has gone is kept: it may be what opens a client or a device.
        const isKept = PURPOSES[purpose].scope !== "security setup";
        if (isKept) await assert.rejects(change("destroy"), { code: "key-transition-refused" });
        else assert.equal(await change("destroy"), "destroyed-compromised", purpose);
        kept += isKept ? 1 : 0;
      }
      const entries = (await custody.store.ledger.read(0, 10_000)).filter(
        ({ kind, principal }) => kind === STATES_CHANGED && principal !== MADE_HERE,
      );
      const along = entries.length - (4 * KEY_PURPOSES.length - kept);
      // Of a client or a device the unicast key of the first goes along; of the further setup each time the one that was added last.
      assert.equal(along, 1 + 3, "with what was compromised what was in use beside it, in that security setup alone");
    }, store);
  await there();
  await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) => there(postgresCustodyStore(pool)));
});
