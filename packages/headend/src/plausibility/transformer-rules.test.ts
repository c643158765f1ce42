import assert from "node:assert/strict";
import { test } from "node:test";
import { type Fraud, SyntheticStreet } from "../testing/synthetic-street.ts";
import { judgeCohorts } from "./cohort-rules.ts";

const HONEST_DAYS = 75;
const FRAUD_DAYS = 25;

/** Which rules find what, about whom, in 25 days of a fraud after 75 of honesty. */
function found(
  fraud: Fraud | undefined,
  seed = 7,
): { readonly honest: ReadonlyMap<string, number>; readonly rules: ReadonlyMap<string, number> } {
  const street = new SyntheticStreet(24, seed);
  const honest = new Map<string, number>();
  for (let day = 0; day < HONEST_DAYS; day += 1)
    for (const { rule } of street.pass()) honest.set(rule, (honest.get(rule) ?? 0) + 1);
  const rules = new Map<string, number>();
  for (let day = 0; day < FRAUD_DAYS; day += 1)
    for (const { rule, subject } of street.pass(fraud)) {
      const whose = subject.kind === "meter" ? (subject.meter === 1 ? "thief" : "other") : subject.kind;
      rules.set(`${rule} ${whose}`, (rules.get(`${rule} ${whose}`) ?? 0) + 1);
    }
  return { honest, rules };
}

function scale(energy: Float64Array, factor: number): void {
  for (let slot = 0; slot < energy.length; slot += 1) energy[slot] = Math.round((energy[slot] as number) * factor);
}

test("a street of honest homes gives no findings about its transformer or its voltages", () => {
  const { honest, rules } = found(undefined);
  assert.ok((honest.get("P-11") ?? 0) <= 2, "one in thousands of days");
  for (const rule of ["P-1", "P-2", "P-3", "P-5", "P-6", "P-12", "P-13"]) {
    assert.equal(honest.get(rule) ?? 0, 0, rule);
    assert.deepEqual(
      [...rules.keys()].filter((key) => key.startsWith(`${rule} `)),
      [],
    );
  }
});

test("P-12: a home that says a tenth of what it takes is missing at its transformer", () => {
  const { rules } = found((told) => {
    for (const energy of told.slice(0, 3)) scale(energy, 0.1);
  });
  assert.ok((rules.get("P-12 transformer") ?? 0) >= 10, JSON.stringify([...rules]));
});

test("P-13: a home that says four tenths of what it takes shows by the fall of its voltage, and nobody else does", () => {
  const { rules } = found(([thief]) => scale(thief as Float64Array, 0.4));
  assert.ok((rules.get("P-13 thief") ?? 0) >= 5, JSON.stringify([...rules]));
  assert.equal(rules.get("P-13 other"), undefined);
});

test("P-13 sees two homes that change their loads, which no balance does", () => {
  const { rules } = found((told) => {
    const [one, other] = told as [Float64Array, Float64Array];
    for (let slot = 0; slot < one.length; slot += 1)
      [one[slot], other[slot]] = [other[slot] as number, one[slot] as number];
  });
  assert.equal(rules.get("P-12 transformer"), undefined);
  assert.ok(
    [...rules.keys()].some((key) => key.startsWith("P-13")),
    JSON.stringify([...rules]),
  );
});

test("P-11: a home whose voltage is that of another place, or made up, is found, and its neighbours are not", () => {
  for (const volts of [(slot: number) => 226 + (slot % 2), () => 234]) {
    const street = new SyntheticStreet(24, 5);
    for (let day = 0; day < 10; day += 1) street.pass();
    const findings = street.pass(undefined, ([liar]) => {
      for (let slot = 0; slot < 96; slot += 1) (liar as Float64Array)[slot] = volts(slot);
    });
    assert.deepEqual(
      findings.filter(({ rule }) => rule === "P-11").map(({ subject }) => subject),
      [{ kind: "meter", meter: 1 }],
    );
  }
});

test("P-15: meters of one firmware that count less than the day before, against the fleet, are told together", () => {
  const change = (n: number, ratio: number) => ({ ratio: ratio + (n % 10) / 100, cohorts: [`firmware M ${n % 2}`] });
  const alike = Array.from({ length: 100 }, (_, n) => change(n, 1));
  assert.deepEqual(judgeCohorts(0, alike), []);
  const drifted = alike.map((one, n) => (n % 2 === 0 ? { ...one, ratio: one.ratio * 0.6 } : one));
  const [finding, ...others] = judgeCohorts(0, drifted);
  assert.deepEqual([finding?.rule, finding?.subject], ["P-15", { kind: "cohort", cohort: "firmware M 0" }]);
  assert.ok(others.length <= 1);
  assert.deepEqual(judgeCohorts(0, drifted.slice(0, 50)), [], "thirty are needed, and thirty others");
});
