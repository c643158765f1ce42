import assert from "node:assert/strict";
import { createCipheriv, randomBytes } from "node:crypto";
import { after, describe, test } from "node:test";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { SecretKey } from "@meterkeep/dlms-node";
import type { TokenOptions } from "@meterkeep/hsm";
import { type Fault, SoftTokens, softTokenMissing } from "@meterkeep/hsm/testing";
import { getRequest, getResult, textOf } from "../../protocol/requests.ts";
import { memoryCustodyStore } from "../../store/memory-store.ts";
import type { CustodyStore } from "../../store/store.ts";
import { carryTakeover, HEAD_END, withTestCustody } from "../../testing/test-custody.ts";
import { TestMeter } from "../../testing/test-meter.ts";
import { vaultContract } from "../../testing/vault-contract.ts";
import { type OpenedVault, openVault, type VaultSource } from "../open-vault.ts";
import type { TokenKey } from "../vault.ts";
import { isOfTokens } from "./encryption-keys.ts";

const missing = softTokenMissing();
const ISLANDS = [{ utility: "stadtwerke", island: "mainland" }];
const hex = (octets: Uint8Array | undefined) => octets && Buffer.from(octets).toString("hex");

describe("encryption keys that stay in tokens", { skip: missing ?? false }, () => {
  const tokens = new SoftTokens();
  const make = (label: string): TokenOptions => tokens.make(label, { sessions: 2, deadlineMs: 4_000 });
  const [one, two] = missing === undefined ? [make("one"), make("two")] : [];
  after(() => tokens[Symbol.dispose]());
  const source = (...used: TokenOptions[]): VaultSource => ({
    kind: "tokens",
    tokens: used,
    encryptionKeysOf: ISLANDS,
  });

  async function opened<T>(
    store: CustodyStore,
    from: VaultSource,
    body: (open: OpenedVault) => Promise<T>,
  ): Promise<T> {
    const open = await openVault(store, from, 1);
    try {
      return await body(open);
    } finally {
      tokens.fault({ kind: "none" });
      await open.close();
    }
  }

  vaultContract("tokens that keep encryption keys", (body) =>
    opened(memoryCustodyStore(), source(one!, two!), ({ vault }) => body(vault)),
  );

  const place = (island: string, purpose: number) => ({
    utility: "stadtwerke",
    island,
    systemTitle: fromHex("4D4B560000000001"),
    setup: 0,
    purpose,
    version: 1,
  });

  test("unicast keys of such an island stay in the token; its other keys, and those of other islands, do not", () =>
    opened(memoryCustodyStore(), source(one!), async ({ vault }) => {
      const places = [place("mainland", 0), place("mainland", 2), place("harbour", 0)];
      const records = await vault.seal(places.map((at) => ({ place: at, key: SecretKey.random(16) })));
      const kept = await Promise.all(records.map((sealed, at) => vault.tokenKey({ place: places[at]!, sealed })));
      assert.deepEqual(
        kept.map((key) => key !== undefined),
        [true, false, false],
      );
      assert.deepEqual(records.map(isOfTokens), [true, false, false]);
    }));

  test("both tokens cipher alike, and what one has wrapped the other unwraps", async () => {
    const store = memoryCustodyStore();
    const key = new Uint8Array(randomBytes(16));
    const at = place("mainland", 0);
    const [sealed] = await opened(store, source(one!, two!), ({ vault }) =>
      vault.seal([{ place: at, key: SecretKey.copy(key) }]),
    );
    for (const token of [one!, two!])
      await opened(store, source(token), async ({ vault }) => {
        const inside = (await vault.tokenKey({ place: at, sealed: sealed! })) as TokenKey;
        await assertCiphers(inside, key);
      });
  });

  for (const fault of [
    { kind: "wrong-handle", times: 1 },
    { kind: "wrong-handle", times: 3 },
    { kind: "device-error", times: 2 },
    { kind: "session-lost", times: 3 },
    { kind: "gone", times: 1 },
  ] satisfies Fault[])
    test(`under ${fault.kind}, ${fault.times} times, nothing is ciphered under another key`, () =>
      opened(memoryCustodyStore(), source(one!, two!), async ({ vault }) => {
        const keys = [1, 2, 3].map(() => new Uint8Array(randomBytes(16)));
        const places = keys.map((_, n) => ({ ...place("mainland", 0), version: n + 1 }));
        const records = await vault.seal(keys.map((octets, n) => ({ place: places[n]!, key: SecretKey.copy(octets) })));
        const inside = await Promise.all(
          records.map((sealed, n) => vault.tokenKey({ place: places[n]!, sealed }) as Promise<TokenKey>),
        );
        // Each session has all of them, so that one can be taken for another.
        for (let round = 0; round < 3; round += 1)
          for (const [n, key] of inside.entries()) await assertCiphers(key, keys[n]!);
        tokens.fault(fault);
        for (const [n, key] of inside.entries()) await assertCiphers(key, keys[n]!);
        assert.equal(tokens.left, 0, "not every call that was to fail did");
      }));

  test("a meter is taken over, read and rotated, and its unicast key is unsealed for its changes alone", () =>
    withTestCustody(
      async (custody) => {
        const meter = new TestMeter({ systemTitle: "5453540000000007" });
        await custody.add(meter);
        await carryTakeover(custody, meter);
        const file = await custody.store.load(meter.systemTitle);
        assert.ok(file?.keys.some(({ purpose, sealed }) => purpose === 0 && isOfTokens(sealed)));
        const { service } = custody.custody;
        for (const ciphering of ["global", "dedicated"] as const) {
          const title = systemTitle(fromHex(meter.systemTitle));
          const opened = await service.openSession({ meter: title, purpose: "read", ciphering }, HEAD_END);
          const { session } = opened;
          const line = meter.connect(opened.clientSap, opened.serverSap);
          for (let send: Uint8Array | undefined = opened.apdu; send !== undefined; ) {
            const advance = await service.advanceSession(
              { session, received: line.exchange(send) as Uint8Array },
              HEAD_END,
            );
            assert.ok(advance.kind !== "failed", JSON.stringify(advance));
            send = advance.kind === "send" ? advance.apdu : undefined;
          }
          const apdu = getRequest({ classId: 1, logicalName: "0.0.42.0.0.255", attributeId: 2 });
          const sealed = await service.seal({ session, items: [{ apdu }, { apdu }, { apdu }] }, HEAD_END);
          const apdus = sealed.map((item) => {
            assert.ok(item.kind === "sealed");
            return line.exchange(item.apdu) as Uint8Array;
          });
          const forged = Uint8Array.from(apdus[0]!);
          forged[forged.length - 1]! ^= 1;
          const answers = await service.open({ session, apdus: [...apdus, forged] }, HEAD_END);
          assert.deepEqual(
            answers.map((answer) => (answer.kind === "opened" ? textOf(getResult(answer.apdu)) : answer.code)),
            [...apdus.map(() => meter.logicalDeviceName), "not-authentic"],
          );
          line.exchange((await service.releaseSession({ session }, HEAD_END)).apdu);
          await service.closeSession({ session, outcome: "completed" }, HEAD_END);
        }
      },
      memoryCustodyStore(),
      { vault: source(one!) },
    ));
});

async function assertCiphers(inside: TokenKey, key: Uint8Array): Promise<void> {
  const [iv, data, text] = [randomBytes(12), randomBytes(17), randomBytes(40)].map((octets) => new Uint8Array(octets));
  const cipher = createCipheriv("aes-128-gcm", key, iv!, { authTagLength: 12 });
  cipher.setAAD(data!);
  const wanted = Buffer.concat([cipher.update(text!), cipher.final(), cipher.getAuthTag()]);
  const request = { iv: iv!, data: data!, open: false, text: text! };
  const [sealed] = await inside.gcm([request]);
  assert.equal(hex(sealed), wanted.toString("hex"));
  const [plain] = await inside.gcm([{ ...request, open: true, text: sealed! }]);
  assert.equal(hex(plain), hex(text));
}
