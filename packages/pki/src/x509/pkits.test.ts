import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { LIST_CASES } from "../testing/pkits/list-cases.ts";
import { good, judge, leaf, named, usage } from "../testing/pkits/parts.ts";
import { PATH_CASES } from "../testing/pkits/path-cases.ts";

// NIST's Public Key Interoperability Test Suite (PKITS 1.0.1): every case of it is either tried here, by its number and
// name, or does not apply to certificates of metering. Certificates and lists are our own, on EC keys, made as each case
// describes them. Whether something was revoked is judged by `statusByLists` wherever a case has lists.

const CASES = [...PATH_CASES, ...LIST_CASES];

/** How many cases each section has, from 4.1 on: 224 in all. */
const SECTIONS = [6, 8, 11, 21, 8, 17, 5, 20, 8, 14, 11, 10, 38, 35, 10, 2];

/** Why the rest does not apply: first and last case, and the reason. */
const NOT_APPLICABLE: readonly (readonly [first: string, last: string, why: string])[] = [
  ["4.1.4", "4.1.6", "DSA: keys of metering are on P-256 and P-384"],
  ["4.3.3", "4.3.5", "names are compared octet for octet, as GBCS and DLMS meters do: these are refused, see below"],
  ["4.3.6", "4.3.6", "unique identifiers of names, which RFC 5280 4.1.2.8 forbids: malformed"],
  ["4.3.10", "4.3.11", "names in another string type or case are other names, as in 4.3.3: refused"],
  ["4.4.14", "4.4.14", "a negative serial number is no certificate here (RFC 5280 4.1.2.2): refused, as 4.4.15"],
  ["4.4.19", "4.4.19", "lists are signed by the key that issued: those of another are refused, as 4.4.20"],
  ["4.5.4", "4.5.4", "lists are signed by the key that issued: those of another are refused, as 4.5.5"],
  ["4.5.6", "4.5.6", "lists are signed by the key that issued: those of another are refused, as 4.5.7"],
  ["4.6.15", "4.6.15", "self-issued certificates count in the path length here: stricter, and nobody has them"],
  ["4.6.17", "4.6.17", "likewise"],
  ["4.8.2", "4.8.20", "any policy is as good as any other; what constrains policies is refused by 4.9.3"],
  ["4.9.1", "4.9.2", "any policyConstraints is refused, as 4.9.3"],
  ["4.9.4", "4.9.8", "likewise"],
  ["4.10.1", "4.10.6", "any policyMappings is refused, as 4.10.7"],
  ["4.10.8", "4.10.14", "likewise"],
  ["4.11.1", "4.11.11", "inhibitPolicyMapping is a policyConstraints: refused, as 4.9.3"],
  ["4.12.2", "4.12.10", "any inhibitAnyPolicy is refused, as 4.12.1"],
  ["4.13.1", "4.13.1", "any nameConstraints is refused, as 4.13.2: the table of assignments does their work"],
  ["4.13.3", "4.13.38", "likewise"],
  ["4.14.4", "4.14.5", "names of lists relative to their issuer are not read: refused, as 4.14.6"],
  ["4.14.7", "4.14.7", "likewise"],
  ["4.14.13", "4.14.13", "lists of kinds of certificates are refused, as 4.14.11 and 4.14.12: ours are of shards"],
  ["4.14.18", "4.14.19", "lists of some reasons are refused, as 4.14.15"],
  ["4.14.22", "4.14.22", "indirect lists are refused, as 4.14.23"],
  ["4.14.24", "4.14.25", "likewise"],
  ["4.14.28", "4.14.30", "likewise"],
  ["4.14.33", "4.14.33", "likewise"],
];

/** The numbers from one case to another of the same section. */
function between(first: string, last: string): readonly string[] {
  const [, section, from] = first.split(".");
  const to = Number(last.split(".")[2]);
  const numbers: string[] = [];
  for (let number = Number(from); number <= to; number += 1) numbers.push(`4.${section}.${number}`);
  return numbers;
}

describe("PKITS", () => {
  for (const [name, expected, run] of CASES)
    test(`${name}: ${expected}`, () => {
      assert.equal(run(), expected);
      // By its name, except where this is said to be otherwise by the table above.
      assert.equal(expected === "valid", !name.includes("Invalid") && !name.includes("Missing CRL"), name);
    });

  test("every case of the suite is tried, or it is said why it does not apply: in one of the two tables, once", () => {
    const all = SECTIONS.flatMap((count, section) => between(`4.${section + 1}.1`, `4.${section + 1}.${count}`));
    assert.equal(all.length, 224);
    const tried = CASES.map(([name]) => name.split(" ")[0]!);
    const others = NOT_APPLICABLE.flatMap(([first, last]) => between(first, last));
    assert.deepEqual([...tried, ...others].toSorted(), all.toSorted());
  });

  test("names that differ in case or spaces are other names, since meters compare octets", () => {
    for (const text of ["good ca", "Good  CA", " Good CA"])
      assert.equal(judge(leaf(good, { issuer: named(text) }), [good]), "no-path");
  });

  test("an extension that stands there twice is refused: which of the two counts would be anybody's guess", () => {
    const twice = [usage(["digitalSignature"]), usage(["digitalSignature"])];
    assert.equal(judge(leaf(good, {}, twice), [good]), "extension-twice");
  });
});
