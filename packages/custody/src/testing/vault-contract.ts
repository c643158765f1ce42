import assert from "node:assert/strict";
import { createPublicKey, diffieHellman, generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { SecretKey } from "@meterkeep/dlms-node";
import { CustodyError } from "../errors.ts";
import { jwkOf } from "../vault/agreement.ts";
import type { KeyPlace } from "../vault/key-place.ts";
import type { Vault } from "../vault/vault.ts";

const place: KeyPlace = {
  utility: "stadtwerke",
  island: "mainland",
  systemTitle: Uint8Array.of(0x4d, 0x4b, 0x56, 0, 0, 0, 0, 1),
  setup: 0,
  purpose: 0,
  version: 1,
};

/** Another place in every single way a row could be moved. */
const elsewhere: Readonly<Record<string, KeyPlace>> = {
  utility: { ...place, utility: "nachbarwerke" },
  island: { ...place, island: "isle" },
  // Fields must not run into each other.
  "utility and island joined otherwise": { ...place, utility: "stadtwerkemain", island: "land" },
  meter: { ...place, systemTitle: Uint8Array.of(0x4d, 0x4b, 0x56, 0, 0, 0, 0, 2) },
  "security setup": { ...place, setup: 1 },
  purpose: { ...place, purpose: 2 },
  version: { ...place, version: 2 },
};

interface DerivationVector {
  readonly master: string;
  readonly fixed: string;
  readonly key: string;
}

const { vectors } = JSON.parse(readFileSync(new URL("derivation-vectors.json", import.meta.url), "utf8")) as {
  readonly vectors: readonly DerivationVector[];
};
const octetsOf = (text: string) => new Uint8Array(Buffer.from(text, "hex"));

const notAuthentic = (error: unknown) => error instanceof CustodyError && error.code === "vault-record-not-authentic";
const hex = (key: SecretKey) => key.lend((octets) => Buffer.from(octets).toString("hex"));

/** What every adapter of `Vault` keeps to. */
export function vaultContract(name: string, withVault: (body: (vault: Vault) => Promise<void>) => Promise<void>): void {
  const contract = (sentence: string, body: (vault: Vault) => Promise<void>) =>
    test(`${name}: ${sentence}`, () => withVault(body));

  contract("a key opens in its place, and its sealed form differs each time", async (vault) => {
    for (const bytes of [16, 32]) {
      const key = SecretKey.random(bytes);
      const [one, other] = (await vault.seal([
        { place, key },
        { place, key },
      ])) as [Uint8Array, Uint8Array];
      assert.notDeepEqual(one, other);
      const opened = await vault.unseal([
        { place, sealed: one },
        { place, sealed: other },
      ]);
      assert.deepEqual(opened.map(hex), [hex(key), hex(key)]);
    }
  });

  contract("a key that was moved in any way does not open", async (vault) => {
    const key = SecretKey.random(16);
    const places = [place, ...Object.values(elsewhere)];
    const sealed = await vault.seal(places.map((each) => ({ place: each, key })));
    for (const [from, record] of sealed.entries())
      for (const [to, target] of places.entries()) {
        const opening = (async () => vault.unseal([{ place: target, sealed: record }]))();
        if (from === to) assert.equal(hex((await opening)[0] as SecretKey), hex(key));
        // Another utility or island has another vault key, which may not even exist.
        else await assert.rejects(opening, CustodyError, `${from} opened at ${to}`);
      }
  });

  contract(
    "what is unsealed again and again opens each time, whatever was unsealed between, and nowhere else",
    async (vault) => {
      const keys = [16, 32].map((bytes) => SecretKey.random(bytes)) as [SecretKey, SecretKey];
      const places = [place, { ...elsewhere["purpose"]!, island: place.island }];
      const sealed = await vault.seal(keys.map((key, at) => ({ place: places[at]!, key })));
      const records = sealed.map((octets, at) => ({ place: places[at]!, sealed: octets }));
      const [both, first, moved] = [
        vault.unsealer(records),
        vault.unsealer(records.slice(0, 1)),
        vault.unsealer([{ place: elsewhere["meter"]!, sealed: records[0]!.sealed }]),
      ];
      for (let time = 0; time < 3; time += 1) {
        assert.deepEqual((await both.unseal()).map(hex), keys.map(hex));
        for (const key of await first.unseal()) key[Symbol.dispose]();
        await assert.rejects(async () => moved.unseal(), notAuthentic);
      }
      for (const unsealer of [both, first, moved]) unsealer[Symbol.dispose]();
    },
  );

  contract("a record changed in any octet does not open", async (vault) => {
    const key = SecretKey.random(16);
    const [sealed] = (await vault.seal([{ place, key }])) as [Uint8Array];
    for (let at = 0; at < sealed.length; at += 1) {
      const spoilt = new Uint8Array(sealed);
      spoilt[at] = (spoilt[at] as number) ^ 1;
      await assert.rejects(async () => vault.unseal([{ place, sealed: spoilt }]), CustodyError);
      await assert.rejects(async () => vault.unsealer([{ place, sealed: spoilt }]).unseal(), CustodyError);
    }
    await assert.rejects(async () => vault.unseal([{ place, sealed: sealed.subarray(0, 10) }]), notAuthentic);
  });

  contract("check values are equal for equal keys, wherever they stand, and only for those", async (vault) => {
    const [one, two] = [SecretKey.random(16), SecretKey.random(16)];
    const same = SecretKey.copy(one.lend((octets) => octets));
    const values = (await vault.checkValues([one, two, same])).map((value) => Buffer.from(value).toString("hex"));
    assert.equal(values[0], values[2]);
    assert.notEqual(values[0], values[1]);
  });

  contract("keys are derived from a master as NIST's vectors have it, several in one call", async (vault) => {
    for (const [at, { master, fixed, key }] of vectors.entries()) {
      await vault.takeMaster(`maker/${at}`, SecretKey.copy(octetsOf(master)));
      const input = { fixed: octetsOf(fixed), bytes: key.length / 2 };
      const derived = await vault.derive(`maker/${at}`, [input, { ...input, bytes: 16 }, input]);
      assert.deepEqual(derived.map(hex), [key, key.slice(0, 32), key]);
    }
  });

  contract("a master that is held is not replaced, and from one that is not nothing follows", async (vault) => {
    const input = { fixed: Uint8Array.of(1, 2, 3), bytes: 16 };
    await vault.takeMaster("maker/one", SecretKey.random(32));
    const [before] = (await vault.derive("maker/one", [input])) as [SecretKey];
    await vault.takeMaster("maker/one", SecretKey.random(32));
    const [after] = (await vault.derive("maker/one", [input])) as [SecretKey];
    assert.equal(hex(after), hex(before));
    await assert.rejects(vault.derive("maker/two", [input]), { code: "vault-key-unknown" });
    await assert.rejects(vault.derive("maker/two", []), { code: "vault-key-unknown" });
  });

  contract("a master that is destroyed is gone for good, and none comes in its place", async (vault) => {
    const input = { fixed: Uint8Array.of(1, 2, 3), bytes: 16 };
    for (const name of ["maker/gone", "maker/kept"]) await vault.takeMaster(name, SecretKey.random(32));
    await vault.destroyMaster("maker/gone");
    await vault.destroyMaster("maker/gone");
    await vault.takeMaster("maker/gone", SecretKey.random(32));
    await assert.rejects(vault.derive("maker/gone", [input]), { code: "vault-key-unknown" });
    assert.equal((await vault.derive("maker/kept", [input])).length, 1);
  });

  contract("a named secret opens under its name only", async (vault) => {
    const secret = SecretKey.random(100);
    const sealed = await vault.sealNamed("recipient", secret);
    assert.equal(hex(await vault.unsealNamed("recipient", sealed)), hex(secret));
    await assert.rejects(vault.unsealNamed("other", sealed), notAuthentic);
  });

  contract(
    "a private key for agreement comes to what its peers come to, and is another one each time",
    async (vault) => {
      const records = [await vault.makeAgreementKey("recipient"), await vault.makeAgreementKey("recipient")];
      const points: string[] = [];
      for (const record of records) {
        const key = await vault.agreementKey("recipient", record);
        points.push(Buffer.from(key.point).toString("hex"));
        for (let round = 0; round < 3; round += 1) {
          const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
          const own = createPublicKey({ key: jwkOf(key.point), format: "jwk" });
          const shared = diffieHellman({ privateKey, publicKey: own }).toString("hex");
          assert.equal(hex(await key.agree(publicKey)), shared);
        }
      }
      assert.notEqual(points[0], points[1]);
    },
  );

  contract("a private key for agreement opens under its name only, whole, and as nothing else", async (vault) => {
    const record = await vault.makeAgreementKey("recipient");
    await vault.makeAgreementKey("other");
    await assert.rejects(vault.agreementKey("other", record), notAuthentic);
    await assert.rejects(vault.agreementKey("third", record), CustodyError);
    for (const at of [0, 1, 5, 60, 101, record.length - 1]) {
      const spoilt = record.map((octet, place) => (place === at ? octet ^ 1 : octet));
      await assert.rejects(vault.agreementKey("recipient", spoilt), CustodyError, `octet ${at}`);
    }
    for (const length of [0, 4, 101, record.length - 1])
      await assert.rejects(vault.agreementKey("recipient", record.slice(0, length)), notAuthentic, `${length} octets`);
    const named = await vault.sealNamed("recipient", SecretKey.random(100));
    await assert.rejects(vault.agreementKey("recipient", named));
  });
}
