import assert from "node:assert/strict";
import { test } from "node:test";
import { type AuthorityRecord, authorityId, issueRoot, memoryPkiStore, PROFILES } from "@meterkeep/pki";
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

test("rows of the database do not say that authorities are yet to be bound: the journal says that they are", () =>
  withTestPki(
    async (bench) => {
      await bench.store.registry.addAuthority(rogue(bench.now));
      await bench.reopen();
      assert.equal((await bench.pki.authorities.all()).length, 5);
      assert.ok(bench.ledger.some(({ kind }) => kind === "record-refused"));
    },
    {
      isForgiving: true,
      installationAs: (records) => ({
        ...records,
        // Whoever owns the database deletes it.
        namedSecret: async (name) => (name.startsWith("authentic-authorities") ? undefined : records.namedSecret(name)),
      }),
    },
  ));

test("authorities from before they were bound are: those that the ledger has the making of, and no others", () => {
  const base = memoryPkiStore();
  const bare = new Set<string>();
  const registry = {
    ...base.registry,
    authorities: async () =>
      (await base.registry.authorities()).map(({ mac, ...record }) =>
        mac === undefined || bare.has(record.authority) ? record : { ...record, mac },
      ),
    bindAuthority: async (authority: string, mac: Uint8Array) => {
      bare.delete(authority);
      await base.registry.bindAuthority(authority, mac);
    },
  };
  return withTestPki(
    async (bench) => {
      for (const { authority } of await base.registry.authorities()) bare.add(authority);
      await base.registry.addAuthority(rogue(bench.now));
      const old = partialJournal(({ kind }) => kind !== "authorities-bound");
      await bench.reopen(bench.store, old);
      assert.equal((await bench.pki.authorities.all()).length, 5);
      assert.equal(bare.size, 0);
      await bench.reopen();
      assert.ok((await bench.pki.authorities.all()).every(({ name }) => name !== "rogue"));
    },
    { isForgiving: true, store: { ...base, registry } },
  );
});
