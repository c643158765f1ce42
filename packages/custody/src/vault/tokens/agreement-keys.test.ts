import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import type { TokenOptions } from "@meterkeep/hsm";
import { type Fault, SoftTokens, softTokenMissing } from "@meterkeep/hsm/testing";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { EntryBursts } from "../../evidence/entry-bursts.ts";
import { CheckedFiles } from "../../records/checked-files.ts";
import { addSingleMeter } from "../../shipment/added-meter.ts";
import { importShipment } from "../../shipment/import.ts";
import { ECDH_HALF, openRecipient } from "../../shipment/open-recipient.ts";
import type { Recipient } from "../../shipment/recipient.ts";
import { GroupCommitter } from "../../store/committer.ts";
import { memoryCustodyStore } from "../../store/memory-store.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../../store/postgres-store.ts";
import type { CustodyStore } from "../../store/store.ts";
import { fileOf, sealMeterKeys, testManufacturer, testMeters, writeShipment } from "../../testing/shipment-writer.ts";
import { type OpenedVault, openVault } from "../open-vault.ts";
import type { Vault } from "../vault.ts";

const missing = softTokenMissing();
const maker = testManufacturer();
const place = { utility: "stadtwerke", island: "mainland", principal: "head-end" };
const METERS = 3;

describe("shipments that tokens open", { skip: missing ?? false }, () => {
  const tokens = new SoftTokens();
  const make = (label: string): TokenOptions => tokens.make(label, { sessions: 2, deadlineMs: 4_000 });
  const [one, two] = missing === undefined ? [make("one"), make("two")] : [];
  after(() => tokens[Symbol.dispose]());
  /** The next meter that is in no shipment yet. */
  let next = 1;

  async function opened<T>(
    store: CustodyStore,
    used: readonly TokenOptions[],
    body: (open: OpenedVault) => Promise<T>,
  ): Promise<T> {
    const open = await openVault(store, { kind: "tokens", tokens: used }, 1);
    try {
      return await body(open);
    } finally {
      tokens.fault({ kind: "none" });
      await open.close();
    }
  }

  const withStore = (body: (store: CustodyStore) => Promise<void>) =>
    withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) => body(postgresCustodyStore(pool)));

  function importOf(store: CustodyStore, vault: Vault, recipient: Recipient) {
    const [committer, now] = [new GroupCommitter(store), () => 1_795_000_000_000];
    const bursts = new EntryBursts(committer, now);
    const files = new CheckedFiles(store, vault, bursts, now);
    const masters = { stateOf: async () => undefined };
    const trust = { manufacturers: [maker.trusted], recipient };
    return { store, files, committer, bursts, vault, masters, trust, now, forget: () => undefined };
  }

  /** A shipment of meters that nobody has seen yet is imported, and a meter added: all that a recipient is for. */
  async function takesIn(store: CustodyStore, vault: Vault, fault?: Fault & { readonly times: number }): Promise<void> {
    const recipient = await openRecipient(vault, store.installation);
    const meters = testMeters(METERS + 1, next);
    next += METERS + 1;
    const { systemTitle, keys } = meters.pop()!;
    const before = await store.meterCount();
    if (fault !== undefined) tokens.fault(fault);
    const dependencies = importOf(store, vault, recipient);
    const file = fileOf(writeShipment(maker, recipient.publicKeys, meters));
    assert.equal((await importShipment(dependencies, place, [file])).count, METERS);
    if (fault !== undefined) assert.notEqual(tokens.left, fault.times, "no call has met it");
    tokens.fault({ kind: "none" });
    await addSingleMeter(
      dependencies,
      place,
      systemTitle,
      sealMeterKeys(recipient.publicKeys, systemTitle, { ...keys }),
    );
    assert.equal(await store.meterCount(), before + METERS + 1);
  }

  const keyIdOf = async (store: CustodyStore, { vault }: OpenedVault) =>
    (await openRecipient(vault, store.installation)).publicKeys.keyId;

  test("one token opens them, and nothing that the custodian has opens the private half", () =>
    withStore((store) =>
      opened(store, [one!], async ({ vault }) => {
        await takesIn(store, vault);
        const record = (await store.installation.namedSecret(ECDH_HALF))!;
        await assert.rejects(vault.unsealNamed(ECDH_HALF, record), { code: "vault-record-not-authentic" });
      }),
    ));

  test("of two tokens either opens them alone, and one that takes the place of another once it has caught up", () =>
    withStore(async (store) => {
      const keyId = await opened(store, [one!, two!], async (open) => {
        await takesIn(store, open.vault);
        return keyIdOf(store, open);
      });
      for (const token of [two!, one!])
        await opened(store, [token], async (open) => {
          await takesIn(store, open.vault);
          assert.equal(await keyIdOf(store, open), keyId);
        });
      const replacement = make("replacement");
      await opened(store, [two!, replacement], ({ tend }) => tend());
      await opened(store, [replacement], async (open) => {
        await takesIn(store, open.vault);
        assert.equal(await keyIdOf(store, open), keyId);
      });
    }));

  test("under faults that pass they are opened as ever", () =>
    withStore((store) =>
      opened(store, [one!, two!], async ({ vault }) => {
        for (const fault of [
          { kind: "latency", times: 10, milliseconds: 5 },
          { kind: "device-error", times: 2 },
          { kind: "session-lost", times: 2 },
          { kind: "wrong-handle", times: 1 },
          { kind: "wrong-handle", times: 2 },
          { kind: "gone", times: 2 },
        ] as const)
          await takesIn(store, vault, fault);
      }),
    ));

  test("while no token can, a shipment is not refused: it was never looked at, and is imported later", () =>
    withStore((store) =>
      opened(store, [one!], async ({ vault }) => {
        const recipient = await openRecipient(vault, store.installation);
        const meters = testMeters(METERS, next);
        next += METERS;
        const file = fileOf(writeShipment(maker, recipient.publicKeys, meters));
        const dependencies = importOf(store, vault, recipient);
        tokens.fault({ kind: "device-error", times: -1 });
        await assert.rejects(importShipment(dependencies, place, [file]), { code: "vault-unavailable" });
        assert.deepEqual(await store.ledger.read(0, 10), []);
        tokens.fault({ kind: "none" });
        assert.equal((await importShipment(dependencies, place, [file])).count, METERS);
      }),
    ));

  test("tokens that do not wrap private keys are told when the key is to be made, and none is", () =>
    opened(memoryCustodyStore(), [one!, two!], async ({ vault }) => {
      tokens.fault({ kind: "wrap-refused", times: -1 });
      await assert.rejects(vault.makeAgreementKey("recipient"), {
        code: "token-unfit",
        message:
          /no token of the vault makes a private key that opens shipments: token (one|two): .*CKR_KEY_NOT_WRAPPABLE/,
      });
    }));

  test("a key that another token of the vault does not open is not given out", async () => {
    const store = memoryCustodyStore();
    await opened(store, [one!, two!], ({ vault }) => vault.makeAgreementKey("recipient"));
    const [secret] = await store.vaultSecrets.find("*agreements", "recipient");
    const [whole] = await store.vaultSecrets.find("*", "*");
    // The second token has another secret in the place of this one.
    const swapped = [...whole!.copies].filter(([name]) => name.startsWith("two/"));
    assert.equal(swapped.length, 1);
    await store.vaultSecrets.replaceCopies({ ...secret!, copies: new Map(swapped) });
    await opened(store, [one!, two!], ({ vault }) =>
      assert.rejects(vault.makeAgreementKey("recipient"), {
        code: "token-unfit",
        message: /does not open in every token: token (one|two): /,
      }),
    );
  });
});
