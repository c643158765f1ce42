import assert from "node:assert/strict";
import { test } from "node:test";
import { systemTitle } from "@meterkeep/dlms";
import { type AuthorityRecord, PkiError, PROFILES } from "@meterkeep/pki";
import { freshKey, type TestPki, testTitle, withTestPki } from "../testing/test-pki.ts";
import { ANY_POLICY } from "./development-tree.ts";

const UTILITIES = 160;
const METERS_EACH = 1000;
const profile = (name: string) => PROFILES.get(name)!;
const firstOf = (utility: number): number => utility * METERS_EACH;

/** A utility below the scheme, and the authority that issues for its island. */
async function addUtility({ pki }: TestPki, scheme: AuthorityRecord, number: number) {
  const utility = `utility-${number}`;
  const make = async (name: string, kind: string, parent: string, island: string) => {
    await pki.keys.make(name, profile(kind).curve);
    const place = { utility, island, requester: "ceremony", policies: [ANY_POLICY] };
    return pki.authorities.make({ ...place, name, profile: profile(kind), parent, keyName: name });
  };
  const owner = await make(utility, "utility", scheme.authority, "*");
  return { owner, issuing: await make(`${utility}-issuing`, "issuing-p256", owner.authority, "mainland") };
}

test("one tree holds 160 utilities: each speaks for its own meters, and none for its neighbour's", () =>
  withTestPki(async (bench) => {
    const { pki } = bench;
    const scheme = (await pki.authorities.all()).find((one) => one.profile === "scheme")!;
    const utilities = [];
    for (let number = 1; number <= UTILITIES; number += 1) utilities.push(await addUtility(bench, scheme, number));
    const rows = utilities.map(({ owner }, at) => ({
      authority: Buffer.from(owner.authority, "hex"),
      name: owner.utility,
      ranges: [{ first: testTitle(firstOf(at + 1)), last: testTitle(firstOf(at + 2) - 1) }],
    }));
    await pki.assign(rows, "ceremony");
    for (const [at, { issuing }] of utilities.entries()) {
      const issue = (number: number) =>
        pki.authorities.issue({
          authority: issuing.authority,
          profile: profile("dlms-suite-1-signature"),
          subject: { systemTitle: testTitle(number) },
          publicKey: freshKey().publicKey,
          requester: "line-1",
        });
      const last = firstOf(at + 2) - 1;
      const certificate = await issue(last);
      const seen = await pki.examine(certificate.octets, "digitalSignature", systemTitle(testTitle(last)));
      assert.ok(seen.isTrusted);
      assert.equal(seen.path.length, 5);
      const strayed = (error: unknown) => error instanceof PkiError && error.code === "assignment-violated";
      await assert.rejects(issue(last + 1), strayed, "the first of the neighbour's");
    }
    assert.equal(bench.ledger.filter(({ kind }) => kind === "assignment-violated").length, UTILITIES);
  }));
