import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Decision, type Dispute, Standings } from "./standing.ts";

const stretch = fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 1, max: 8 }));
const dispute = fc
  .tuple(
    stretch,
    fc.constantFrom(undefined, "intervals" as const, "registers" as const, "quality" as const),
    fc.constantFrom(undefined, 1, 3),
  )
  .map(([[from, length], concerns, newerThan]) => ({ from, to: from + length, concerns, newerThan }));
const decision = fc.record({
  of: stretch,
  verdict: fc.constantFrom("accepted" as const, "rejected" as const),
  findings: fc.uniqueArray(fc.integer({ min: 0, max: 5 })),
  contradictions: fc.uniqueArray(fc.integer({ min: 0, max: 2 })),
  seenTo: fc.integer({ min: 0, max: 4 }),
});

test("a value stands by all that is said of its instant and by nothing else", () => {
  fc.assert(
    fc.property(
      fc.array(dispute, { maxLength: 6 }),
      fc.array(decision, { maxLength: 4 }),
      fc.uniqueArray(fc.integer({ min: 0, max: 2 })),
      fc.integer({ min: 0, max: 5 }),
      (stretches, decided, contradictions, evidence) => {
        const disputes = stretches.map((one, finding): Dispute => ({ ...one, finding }));
        const decisions = decided.map(({ of: [from, length], verdict, ...seen }): Decision => {
          const [findings, others] = [new Set(seen.findings), new Set(seen.contradictions)];
          return { from, to: from + length, verdict, findings, contradictions: others, seenTo: seen.seenTo };
        });
        const standings = new Standings(disputes, decisions);
        for (const rows of ["intervals", "registers", "quality"] as const) {
          const told = standings.stretches(rows);
          for (let instant = -1; instant < 31; instant += 0.5) {
            const isOf = ({ from, to }: { readonly from: number; readonly to: number }): boolean =>
              from < instant && instant <= to;
            const against = disputes.filter(
              (one) => isOf(one) && (one.concerns ?? rows) === rows && evidence > (one.newerThan ?? -1),
            );
            // Who decided has seen what there was by then.
            const by = decisions.filter((one) => isOf(one) && evidence <= one.seenTo);
            const settles = (one: Decision, finding: number): boolean => one.findings.has(finding);
            const isOpen =
              against.some(({ finding }) => !by.some((one) => settles(one, finding))) ||
              contradictions.some((evidence) => !by.some((one) => one.contradictions.has(evidence)));
            const newest = by.findLast(
              (one) =>
                against.some(({ finding }) => settles(one, finding)) ||
                contradictions.some((evidence) => one.contradictions.has(evidence)),
            );
            const expected = isOpen ? "disputed" : (newest?.verdict ?? "undisputed");
            assert.equal(standings.at(instant, rows, evidence, contradictions), expected);
            const within = told.filter((one) => isOf(one) && evidence > one.above && evidence <= one.upTo);
            const [own, ...more] = within.map(({ standing }) => standing);
            assert.deepEqual([own ?? "undisputed", more], [standings.at(instant, rows, evidence), []]);
          }
        }
      },
    ),
  );
});

test("of a meter whose clock has been off for weeks, no finding is looked at once for each value", () => {
  const COUNT = 500;
  let looks = 0;
  const disputes = Array.from({ length: COUNT }, (_, finding): Dispute => {
    const of = { finding, concerns: undefined, to: (finding + 1) * 900_000 };
    return {
      ...of,
      get from() {
        looks += 1;
        return of.to - 899_999;
      },
    };
  });
  const standings = new Standings(disputes, []);
  assert.equal(standings.stretches("intervals").length, COUNT);
  for (const { to } of disputes) assert.equal(standings.at(to, "intervals", 1), "disputed");
  assert.ok(looks <= 5 * COUNT, `${looks} looks at ${COUNT} findings`);
});
