import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { meterOperations, type Operation } from "@meterkeep/headend";
import { withOperationBench } from "../src/operation-bench.ts";

const operations = meterOperations({
  destinations: () => [],
  shelf: { load: () => Promise.reject(new Error("an empty shelf")) },
});
const limiter = operations.get("limiter") as Operation;
const THRESHOLD = { what: "normal-threshold", value: 6000 };

const MANY_DAYS = { days: Array.from({ length: 100 }, (_, index) => ({ index, date: "2027-02-01", dayId: 2 })) };

const GENERAL_BLOCK_TRANSFER = 0xe0;
/** general-ciphering, general-global-ciphering. */
const GENERAL_CIPHERING = 0xdd;
const GENERAL_GLOBAL = 0xdb;
/** Agreed key with C(0e, 2s), without any key-ciphered data (Green Book 9.2.3.4.6.5). */
const AGREED_STATIC = Uint8Array.of(0x02, 0x01, 0x02, 0x00);

for (const securitySuite of [1, 2] as const)
  describe(`a meter of suite ${securitySuite} that was enrolled`, () => {
    const made = { profile: "idis-p3", securitySuite };

    test("is commanded by what is signed, under a key agreed on for it alone, and answers likewise", () =>
      withOperationBench(made, async (at) => {
        const said: Uint8Array[] = [];
        at.overheard = (request, answer) => {
          said.push(request, ...(answer === undefined ? [] : [answer]));
          return answer;
        };
        await at.run(limiter, THRESHOLD);
        const signed = said.filter(([tag]) => tag === GENERAL_CIPHERING);
        assert.equal(signed.length, 2, "one critical request and its answer");
        for (const apdu of signed) assert.ok(Buffer.from(apdu).includes(AGREED_STATIC));
        // Reading goes as it always does.
        assert.ok(said.some(([tag]) => tag === GENERAL_GLOBAL));
        const entries = await at.custody.store.ledger.read(0, 10_000);
        const sealed = entries.filter(({ kind }) => kind === "critical-sealed");
        assert.deepEqual(
          sealed.map(({ body }) => (JSON.parse(body) as { signed: boolean }).signed),
          [true],
        );
        const opened = entries.findLast(({ kind }) => kind === "session-opened");
        assert.equal((JSON.parse(opened?.body ?? "{}") as { mechanism: number }).mechanism, 7);
        // What is signed and longer than the meter takes at a time goes in general blocks, and so does its answer.
        said.length = 0;
        assert.equal((await at.run(operations.get("special-days") as Operation, MANY_DAYS)).outcome, "done");
        assert.ok(said.filter(([tag]) => tag === GENERAL_BLOCK_TRANSFER).length >= 4);
        const outcomes = (await at.custody.store.ledger.read(0, 10_000)).filter(
          ({ kind }) => kind === "critical-settled",
        );
        assert.equal(outcomes.length, 2);
      }));

    test("does not carry out what is changed on the way, and what it never said is not believed of it", () =>
      withOperationBench(made, async (at) => {
        const run = await at.approve(limiter, THRESHOLD);
        let before: Uint8Array | undefined;
        at.overheard = (request, answer) => {
          if (request[0] === GENERAL_CIPHERING) return before;
          before = answer;
          return answer;
        };
        const { error } = await run();
        assert.match(String(error), /not accepted: not-authentic/);
        const entries = await at.custody.store.ledger.read(0, 10_000);
        assert.equal(entries.filter(({ kind }) => kind === "critical-settled").length, 0);
      }));
  });

test("a meter of suite 0 is commanded under its symmetric keys, and the ledger says that it was not signed", () =>
  withOperationBench({ profile: "idis-p3" }, async (at) => {
    await at.run(limiter, THRESHOLD);
    const entries = await at.custody.store.ledger.read(0, 10_000);
    const sealed = entries.filter(({ kind }) => kind === "critical-sealed");
    assert.deepEqual(
      sealed.map(({ body }) => (JSON.parse(body) as { signed: boolean }).signed),
      [false],
    );
  }));
