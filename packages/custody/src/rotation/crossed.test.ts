import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import type { CustodyStore } from "../store/store.ts";
import { crossings, RotatedMeter } from "../testing/crossed-rotations.ts";
import { escrowedOctets } from "../testing/escrowed-octets.ts";
import { withTestCustody } from "../testing/test-custody.ts";

/** Rotations of one meter after the other, each struck by one crossing; gives how many there were, and how often the custodian died. */
async function crossed(store: CustodyStore, take: (all: number) => number, kind?: "secrets" | "setups") {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-crossed-"));
  let [rotations, crashes] = [0, 0];
  try {
    await withTestCustody(
      async (custody) => {
        const one = await RotatedMeter.open(custody, 1, kind);
        const undisturbed = await one.rotate(undefined);
        assert.ok(undisturbed.commits > 12, `${undisturbed.commits} commits`);
        const all = crossings(undisturbed);
        const stride = Math.max(1, Math.floor(all.length / take(all.length)));
        // An odd stride, so that all commits, both sides of them and all faults come to their turn.
        for (let at = 0; at < all.length; at += stride | 1) {
          const struck = await one.rotate(all[at]);
          rotations += 1;
          crashes += struck.crashes;
        }
        // Whatever was sent lay in escrow, although the custodian died between commit and escrow as well.
        const octets = await escrowedOctets(folder, custody.vault);
        for (const sent of one.meter.everSent) assert.ok(octets.has(sent), "a key was sent that is not in escrow");
      },
      store,
      { escrowFolder: folder },
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
  return { rotations, crashes };
}

test("the custodian as it is in service, struck at its commits while the meter is struck at APDUs, strands no meter and forgets no key, secret or device's key", async () => {
  const { rotations, crashes } = await crossed(memoryCustodyStore(), () => 28);
  assert.ok(rotations >= 20 && crashes >= rotations / 2, `${crashes} deaths in ${rotations} rotations`);
});

test("the same of a meter with two security setups, of both of which the keys go: none is stranded in either", async () => {
  const { rotations, crashes } = await crossed(memoryCustodyStore(), () => 28, "setups");
  assert.ok(rotations >= 20 && crashes >= rotations / 2, `${crashes} deaths in ${rotations} rotations`);
});

test("the same over PostgreSQL, for some of them", async () => {
  for (const kind of ["secrets", "setups"] as const)
    await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, async ({ pool }) => {
      const { rotations, crashes } = await crossed(postgresCustodyStore(pool), () => 4, kind);
      assert.ok(rotations >= 3 && crashes >= 1, `${crashes} deaths in ${rotations} rotations`);
    });
});
