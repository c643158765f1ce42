import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Committer } from "../store/committer.ts";
import { memoryCustodyStore } from "../store/memory-store.ts";
import type { KeyRecord } from "../store/records.ts";
import { OPERATOR } from "../testing/authority-world.ts";
import { withTestCustody } from "../testing/test-custody.ts";
import { TestMeter } from "../testing/test-meter.ts";
import { envelopeKeyVersion } from "./envelope.ts";
import { openVault } from "./open-vault.ts";
import { resealMeterKeys } from "./resealing.ts";

const FIRST = "5453540000000742";
const SECOND = "5453540000000743";

test("rows that are no envelope, or name a vault key that is not there, count as failed and keep no other from being sealed anew", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-reseal-"));
  try {
    const store = memoryCustodyStore();
    const source = { kind: "file", path: join(folder, "root.key") } as const;
    await withTestCustody(
      async (custody) => {
        await custody.add(new TestMeter({ systemTitle: FIRST }));
        await custody.add(new TestMeter({ systemTitle: SECOND }));
        await custody.custody.rewrapVault(source, OPERATOR, "a test");
        const { vault } = await openVault(store, source, 1);
        const spoilt = [new Uint8Array([1, 2, 3]), new Uint8Array(64), new Uint8Array(64).fill(1, 0, 1)];
        const spoil = (key: KeyRecord, at: number): KeyRecord => ({ ...key, sealed: spoilt[at] ?? key.sealed });
        let entries: unknown;
        const done = await resealMeterKeys(
          {
            store: {
              vaultKeys: store.vaultKeys,
              loadPage: async (...asked) =>
                (await store.loadPage(...asked)).map((file) =>
                  file.meter.systemTitle === FIRST ? { ...file, keys: file.keys.map(spoil) } : file,
                ),
            },
            vault,
            committer: {
              submit: async (change: Parameters<Committer["submit"]>[0]) => {
                await store.commit(change.writes ?? []);
                entries = change.entries ?? entries;
              },
            } as unknown as Committer,
            now: () => 2,
          },
          OPERATOR,
        );
        assert.deepEqual([done.meters, done.failed], [2, 3]);
        const { keys } = (await store.load(SECOND))!;
        assert.ok(keys.length > 0);
        for (const { sealed } of keys) assert.equal(envelopeKeyVersion(sealed), 2);
        const left = [0, 1, 2].map((purpose) => ({ systemTitle: FIRST, setup: 0, purpose, version: 1 }));
        assert.deepEqual(
          (entries as { kind: string; body: unknown }[]).map(({ kind, body }) => [kind, body]),
          [["meter-keys-resealed", { ...done, left }]],
        );
      },
      store,
      { vault: source },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
