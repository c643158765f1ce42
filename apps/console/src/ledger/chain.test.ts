import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { LedgerRow } from "@meterkeep/api";
import { checkChain } from "./chain.ts";

const scope = { utility: "demo", island: "main" };

/** The ledger's canonical form, written once more with Node's hash. */
function entry(sequence: number, previousHash: string, where = scope, meter?: string): LedgerRow {
  const at = Date.parse("2026-11-21T12:00:00Z") + sequence;
  const body = JSON.stringify({ sequence });
  const number = (value: number) => {
    const octets = Buffer.alloc(8);
    octets.writeBigUInt64BE(BigInt(value));
    return octets;
  };
  const fields = [
    Buffer.from("meterkeep-ledger-1"),
    Buffer.from(previousHash, "hex"),
    number(sequence),
    number(at),
    ...["session-opened", "head-end", where.utility, where.island, meter ?? "", body].map((text) => Buffer.from(text)),
  ];
  const hash = createHash("sha256");
  for (const field of fields) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(field.length);
    hash.update(length).update(field);
  }
  return {
    sequence,
    at: new Date(at).toISOString(),
    kind: "session-opened",
    principal: "head-end",
    ...where,
    ...(meter === undefined ? {} : { meter }),
    body,
    hash: hash.digest("hex"),
    previousHash,
  };
}

function chain(): LedgerRow[] {
  const first = entry(1, "00".repeat(32), { utility: "*", island: "*" });
  const second = entry(2, first.hash, scope, "4D4B560000000001");
  return [entry(3, second.hash), second, first];
}

test("an untouched stretch fits, whoever the entries belong to", async () => {
  assert.deepEqual(await checkChain(chain()), { checked: 3, broken: [] });
});

test("a changed body, time, principal or owner breaks its entry", async () => {
  for (const change of [{ body: "{}" }, { at: "2026-11-21T12:00:09Z" }, { principal: "depot" }, { utility: "other" }]) {
    const entries = chain().map((row) => (row.sequence === 2 ? { ...row, ...change } : row));
    assert.deepEqual((await checkChain(entries)).broken, [2]);
  }
});

test("an entry that was taken out breaks the next", async () => {
  const entries = chain().filter(({ sequence }) => sequence !== 2);
  assert.deepEqual((await checkChain(entries)).broken, [3]);
});
