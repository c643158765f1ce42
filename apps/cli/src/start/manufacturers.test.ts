import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { trustedManufacturers } from "./manufacturers.ts";

const FACTORY = { name: "Virtual", flag: "MKV", ecdsaPublicKey: "e1", mldsaPublicKey: "m1", keyId: "x" };
const REAL = { name: "Maker", flag: "LGZ", ecdsaPublicKey: "e2", mldsaPublicKey: "m2" };

test("the factory's meters are simulated, those of the makers that the owner trusts are real, and no maker passes for the other", () => {
  const state = mkdtempSync(join(tmpdir(), "meterkeep-makers-"));
  const exchange = join(state, "exchange");
  const put = (file: string, value: unknown): void =>
    writeFileSync(join(state, file), typeof value === "string" ? value : JSON.stringify(value));
  const makers = () => trustedManufacturers({ state, exchange });
  try {
    mkdirSync(exchange);
    mkdirSync(join(state, "manufacturers"));
    assert.deepEqual(makers(), []);
    put("exchange/manufacturer.json", FACTORY);
    put("manufacturers/maker.json", { ...REAL, simulated: true });
    const { keyId: _, ...factory } = FACTORY;
    assert.deepEqual(makers(), [
      { ...factory, simulated: true },
      { ...REAL, simulated: false },
    ]);
    for (const [wrong, message] of [
      [{ ...REAL, flag: "lgz" }, /maker\.json: "flag" is not three capital letters/],
      [{ ...REAL, mldsaPublicKey: 7 }, /maker\.json: "mldsaPublicKey" is not a text/],
      [{ ...REAL, ecdsaPublicKey: "e1" }, /virtual manufacturer of this machine/],
      [{ ...REAL, name: "Virtual", flag: "MKV" }, /virtual manufacturer of this machine/],
      ["{", /maker\.json: .*line 1 column 2/],
    ] as const) {
      put("manufacturers/maker.json", wrong);
      assert.throws(makers, { code: "manufacturer-invalid", message });
    }
  } finally {
    rmSync(state, { recursive: true });
  }
});
