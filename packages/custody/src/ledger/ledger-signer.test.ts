import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { SoftTokens, softTokenMissing } from "@meterkeep/hsm/testing";
import { isSignedBy, logName, parseNote, signedCheckpoint } from "@meterkeep/ledger";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { openVault, type VaultSource } from "../vault/open-vault.ts";
import { ledgerSigners } from "./ledger-signer.ts";

const missing = softTokenMissing();

describe("a ledger signed by tokens", { skip: missing ?? false }, () => {
  const tokens = new SoftTokens();
  after(() => tokens[Symbol.dispose]());

  test("each token has a key of its own, and any one of them signs", async () => {
    const store = memoryCustodyStore();
    const [one, two] = ["ledger-one", "ledger-two"].map((label) =>
      tokens.make(label, { sessions: 1, deadlineMs: 4_000 }),
    );
    const withSigner = async (used: readonly (typeof one)[], body: Parameters<typeof signWith>[1]): Promise<void> => {
      const source: VaultSource = { kind: "tokens", tokens: used.map((token) => token!) };
      const opened = await openVault(store, source, 1);
      try {
        const signer = await ledgerSigners(opened.vault, store.installation, opened.signing)(1);
        await signWith(signer, body);
      } finally {
        tokens.fault({ kind: "none" });
        await opened.close();
      }
    };
    let keys: string | undefined;
    await withSigner([one, two], (signer, isSigned) => {
      assert.equal(signer.keys.ecdsa.length, 2);
      assert.ok(isSigned);
      keys = JSON.stringify(signer.keys.ecdsa.map((key) => [...key]));
    });
    for (const left of [one, two])
      await withSigner([left], (signer, isSigned) => {
        assert.equal(JSON.stringify(signer.keys.ecdsa.map((key) => [...key])), keys);
        assert.ok(isSigned, "one token is lost, the other signs");
      });
  });
});

async function signWith(
  signer: Awaited<ReturnType<ReturnType<typeof ledgerSigners>>>,
  body: (of: typeof signer, isSigned: boolean) => void,
): Promise<void> {
  const log = logName(signer.keys);
  const note = await signedCheckpoint(signer, { log, size: 5, root: new Uint8Array(32), at: 1 });
  body(signer, isSignedBy(parseNote(note), log, signer.keys));
}

test("in software both keys are sealed in the vault, and the same after a restart", async () => {
  const store = memoryCustodyStore();
  const passphrase = { kind: "passphrase", passphrase: "correct horse" } as const;
  const spkis: string[] = [];
  for (let start = 0; start < 2; start += 1) {
    const { vault, signing } = await openVault(store, passphrase, 1);
    assert.equal(signing, undefined);
    const signer = await ledgerSigners(vault, store.installation, signing)(1);
    await signWith(signer, (_, isSigned) => assert.ok(isSigned));
    spkis.push(Buffer.from(signer.keys.mldsa).toString("hex"));
  }
  assert.equal(spkis[0], spkis[1]);
});
