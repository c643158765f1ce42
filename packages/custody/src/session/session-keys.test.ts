import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "@meterkeep/dlms";
import { SecretKey } from "@meterkeep/dlms-node";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { type KeyRecord, PURPOSE } from "../store/records.ts";
import { sampleKey, sampleMeter } from "../testing/samples.ts";
import { freshRootKeys, RootKeyRing } from "../vault/root-keys.ts";
import { softwareVault } from "../vault/software-vault.ts";
import { TokenKey, type Vault } from "../vault/vault.ts";
import { KeptKeys } from "./kept-keys.ts";
import { KEY_KEEPING, type KeyKeeping, type KeysAtWork, SessionKeys } from "./session-keys.ts";

const VERSIONS = { GUEK: 1, GAK: 1 };
const hex = (octets: unknown) => Buffer.from(octets as Uint8Array).toString("hex");
const told = ({ encryptionKey, authenticationKey }: KeysAtWork) => [hex(encryptionKey), hex(authenticationKey)];

const software = () => softwareVault(new RootKeyRing(freshRootKeys()), memoryCustodyStore().vaultKeys);

/** Rows of a meter, and what is in them. */
async function rowsOf(vault: Vault, number: number, bytes: number): Promise<readonly [KeyRecord[], string[]]> {
  const { meter } = sampleMeter(number);
  const keys = ([PURPOSE.GUEK, PURPOSE.GAK] as const).map((purpose) => ({
    place: { ...sampleKey(meter, purpose), systemTitle: fromHex(meter.systemTitle) },
    key: SecretKey.random(bytes),
  }));
  const sealed = await vault.seal(keys);
  const [unicast, authentication] = sealed as [Uint8Array, Uint8Array];
  const rows = [
    sampleKey(meter, PURPOSE.GUEK, { sealed: unicast }),
    sampleKey(meter, PURPOSE.GAK, { sealed: authentication }),
  ];
  return [rows, keys.map(({ key }) => key.lend(hex))];
}

for (const keeping of KEY_KEEPING)
  test(`keys of a ${keeping} are lent to each piece of work, whoever had them before, and wiped with its end`, async () => {
    const vault = software();
    const kept = new KeptKeys();
    const meters = await Promise.all(
      [16, 32, 16, 32].map(async (bytes, number) => {
        const [rows, octets] = await rowsOf(vault, number, bytes);
        return { octets, keys: await SessionKeys.open(vault, rows, VERSIONS, { keeping, kept }) };
      }),
    );
    for (let time = 0; time < 3; time += 1)
      for (const { keys, octets } of meters) {
        const lent: Uint8Array[] = [];
        const failing = keys.use(({ encryptionKey, authenticationKey, ...rest }) => {
          lent.push(encryptionKey as Uint8Array, authenticationKey);
          return told({ encryptionKey, authenticationKey, ...rest });
        });
        assert.deepEqual(await failing, octets);
        await assert.rejects(async () => keys.use(() => assert.fail("of its own")), /of its own/);
        assert.ok(lent.every((each) => each.every((octet) => octet === 0)));
      }
    for (const { keys } of meters) keys.dispose();
    assert.equal(kept.size, 0);
    for (const { keys } of meters) {
      assert.throws(() => keys.use(told), { code: "session-unknown" });
      // Whoever disposes twice gives nothing back that is another's by now.
      keys.dispose();
    }
  });

for (const keeping of KEY_KEEPING)
  test(`a ${keeping} that ends while a token is asked has no other meter's key from then on`, async () => {
    const vault = software();
    const kept = new KeptKeys();
    const { promise, resolve } = Promise.withResolvers<void>();
    const asked: string[] = [];
    const token = new TokenKey(async (requests) => {
      await promise;
      return requests.map(({ text }) => new Uint8Array(text.length + 12));
    });
    const withToken: Vault = { ...vault, tokenKey: async () => token };
    const open = async (number: number, how: KeyKeeping) => {
      const [rows, [, authentication]] = await rowsOf(vault, number, 16);
      return { authentication, keys: await SessionKeys.open(withToken, rows, VERSIONS, { keeping: how, kept }) };
    };
    const [one, title] = [await open(1, keeping), fromHex("5453540000000001")];
    const sealing = one.keys.use(({ ciphers, encryptionKey, authenticationKey }) => {
      asked.push(hex(authenticationKey));
      const data = { control: 0x30, authentication: authenticationKey, associated: undefined, text: undefined };
      return ciphers.seal(encryptionKey, { originator: title as never, counter: 1 }, data, new Uint8Array(4));
    });
    const outcome = Promise.allSettled([sealing]);
    await new Promise((done) => setImmediate(done));
    one.keys.dispose();
    const other = await open(2, "session");
    resolve();
    const [settled] = await outcome;
    assert.ok(asked.every((key) => key === one.authentication));
    assert.ok(settled.status === "rejected");
    assert.equal(settled.reason.code, "session-unknown");
    other.keys.dispose();
    assert.equal(kept.size, 0);
  });

test("keys are not lent while others are, and are again afterwards", () => {
  const kept = new KeptKeys();
  const [one, other] = [1, 2].map(() => {
    using key = SecretKey.random(16);
    return { place: kept.keep([key]), octets: key.lend(hex) };
  }) as [{ place: number; octets: string }, { place: number; octets: string }];
  kept.lend(one.place, (first) => {
    assert.throws(() => kept.lend(other.place, hex), /lent already/);
    assert.equal(hex(first), one.octets);
  });
  assert.equal(kept.lend(other.place, hex), other.octets);
});
