import assert from "node:assert/strict";
import { test } from "node:test";
import { PLACE, withTestPki } from "../../testing/test-pki.ts";
import { OwnCredential } from "./own-credential.ts";

const HOUR = 3_600_000;

test("a certificate of the service that could not be renewed is tried again after an hour: each try is an order", () =>
  withTestPki(async (bench) => {
    const own = new OwnCredential(bench.pki, PLACE, ["localhost"]);
    await own.renew();
    assert.equal(await own.isDue(), false);
    bench.now += 16 * 24 * HOUR;
    bench.isLedgerFull = true;
    for (let times = 0; times < 2; times += 1) {
      assert.equal(await own.isDue(), true);
      await assert.rejects(own.renew(), /full/);
      assert.equal(await own.isDue(), false);
      bench.now += HOUR;
    }
    bench.isLedgerFull = false;
    await own.renew();
    assert.equal(await own.isDue(), false);
  }));
