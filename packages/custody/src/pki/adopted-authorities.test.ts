import assert from "node:assert/strict";
import { test } from "node:test";
import { type AuthorityRecord, authorityId, issueRoot, PROFILES } from "@meterkeep/pki";
import { partialJournal } from "../testing/partial-journal.ts";
import { freshKey, withTestPki } from "../testing/test-pki.ts";

/** A root that nobody here made, as a row that its writer put no MAC on. */
function rogue(now: number): AuthorityRecord {
  const certificate = issueRoot(freshKey("P-384"), {
    profile: PROFILES.get("root")!,
    subject: { names: { CN: "rogue" } },
    serial: new Uint8Array(16).fill(9),
    notBefore: new Date(now),
  });
  return {
    authority: authorityId(certificate),
    utility: "*",
    island: "*",
    name: "rogue",
    profile: "root",
    parent: undefined,
    keyName: "offline:rogue",
    certificate: certificate.octets,
    createdAt: now,
  };
}

test("an authority whose row has no MAC is refused, also where the journal that said what was made here is lost", () =>
  withTestPki(
    async (bench) => {
      await bench.store.registry.addAuthority(rogue(bench.now));
      await bench.reopen(
        bench.store,
        partialJournal(() => false),
      );
      const all = await bench.pki.authorities.all();
      assert.ok(all.length > 0 && all.every(({ name }) => name !== "rogue"));
      assert.ok(bench.ledger.some(({ kind }) => kind === "record-refused"));
    },
    { isForgiving: true },
  ));
