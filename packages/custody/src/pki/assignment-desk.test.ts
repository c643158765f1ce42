import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type AuthorityRecord,
  issueCertificate,
  issueRoot,
  memoryPkiStore,
  PkiError,
  type PkiStore,
  PROFILES,
} from "@meterkeep/pki";
import { freshKey, issueMeter, type TestPki, testTitle, withTestPki } from "../testing/test-pki.ts";
import { ANY_POLICY } from "./development-tree.ts";

const code = (wanted: string) => (error: unknown) => error instanceof PkiError && error.code === wanted;

/** The development utility may speak for meters up to a number. */
async function rowsUpTo({ pki }: TestPki, last: number) {
  const owner = (await pki.authorities.all()).find(({ profile }) => profile === "utility")!;
  const ranges = [{ first: testTitle(0), last: testTitle(last) }];
  return [{ authority: Buffer.from(owner.authority, "hex"), name: "stadtwerke", ranges }];
}

/** The store as a process sees it that dies before it writes the row of a table. */
function dyingBeforeTheRow(store: PkiStore): PkiStore {
  const add = async () => {
    throw new Error("the process died");
  };
  return { ...store, assignments: { ...store.assignments, add } };
}

describe("the table of assignments", () => {
  test("of a process that died between the journal and the row counts, and its row is written by the next one", () =>
    withTestPki(
      async (bench) => {
        const { store } = bench;
        await bench.reopen(dyingBeforeTheRow(store));
        await assert.rejects(bench.pki.assign(await rowsUpTo(bench, 5), "ceremony"), /died/);
        await assert.rejects(issueMeter(bench, 1), "nothing is issued while nobody knows");
        await bench.reopen(store);
        await issueMeter(bench, 5);
        await assert.rejects(issueMeter(bench, 6), code("assignment-violated"));
        assert.equal((await store.assignments.newest())?.number, 2);
        assert.equal((await bench.pki.assign(await rowsUpTo(bench, 9), "ceremony")).number, 3);
        await issueMeter(bench, 6);
      },
      { isForgiving: true },
    ));

  test("outlives the database: one that was restored from before it is given it back", () =>
    withTestPki(
      async (bench) => {
        const old = memoryPkiStore();
        for (const one of await bench.pki.authorities.all()) await old.registry.addAuthority(one);
        await bench.pki.assign(await rowsUpTo(bench, 5), "ceremony");
        await bench.reopen(old);
        await issueMeter(bench, 5);
        await assert.rejects(issueMeter(bench, 6), code("assignment-violated"));
        assert.equal((await old.assignments.newest())?.number, 2);
      },
      { isForgiving: true },
    ));

  test("of the scheme before counts until the new scheme has signed one", () =>
    withTestPki(async (bench) => {
      await bench.pki.assign(await rowsUpTo(bench, 5), "ceremony");
      bench.now += 1000;
      const second = await adoptSecondScheme(bench);
      for (const isReopened of [false, true]) {
        if (isReopened) await bench.reopen();
        await issueMeter(bench, 5);
        await assert.rejects(issueMeter(bench, 6), code("assignment-violated"));
      }
      assert.equal((await bench.pki.assign(await rowsUpTo(bench, 9), "ceremony")).number, 3);
      const signed = bench.ledger.filter(({ kind }) => kind === "assignments-signed").map(({ body }) => body);
      assert.deepEqual(
        signed.map((body) => (body as { readonly authority: string }).authority === second.authority),
        [false, true],
      );
      await bench.reopen();
      await issueMeter(bench, 6);
      // Once it is revoked the one before it signs again.
      const { revocations } = bench.pki;
      await revocations.plan({ authority: second.authority }, "cACompromise", "person");
      assert.equal((await bench.pki.assign(await rowsUpTo(bench, 5), "ceremony")).number, 4);
      await assert.rejects(issueMeter(bench, 6), code("assignment-violated"));
    }));
});

/** A second root, and a second scheme under it: what is done where the first scheme's key was lost. */
async function adoptSecondScheme({ pki, now }: TestPki): Promise<AuthorityRecord> {
  const key = freshKey("P-384");
  const place = { utility: "*", island: "*", requester: "ceremony" } as const;
  const profile = PROFILES.get("root")!;
  const notBefore = new Date(now);
  const subject = { names: { CN: "Second root" } };
  const root = issueRoot(key, { profile, subject, serial: new Uint8Array(16).fill(3), notBefore });
  const { authority: parent } = await pki.authorities.adopt({
    ...place,
    name: "Second root",
    profile,
    keyName: "offline:second",
    certificate: root.octets,
  });
  const { publicKey } = await pki.keys.make("scheme-2", "P-384");
  const scheme = issueCertificate(
    { certificate: root, signer: key },
    {
      profile: PROFILES.get("scheme")!,
      subject: { names: { CN: "Second scheme" } },
      serial: new Uint8Array(16).fill(4),
      notBefore,
      publicKey,
      policies: [ANY_POLICY],
    },
  );
  return pki.authorities.adopt({
    ...place,
    name: "Second scheme",
    profile: PROFILES.get("scheme")!,
    parent,
    keyName: "scheme-2",
    certificate: scheme.octets,
  });
}
