import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { SecretKey } from "@meterkeep/dlms-node";
import type { TokenOptions } from "@meterkeep/hsm";
import { type Fault, SoftTokens, softTokenMissing } from "@meterkeep/hsm/testing";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { memoryCustodyStore } from "../../store/memory-store.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../../store/postgres-store.ts";
import type { CustodyStore } from "../../store/store.ts";
import { vaultContract } from "../../testing/vault-contract.ts";
import type { KeyPlace } from "../key-place.ts";
import { type OpenedVault, openVault } from "../open-vault.ts";
import type { PlacedRecord, Vault } from "../vault.ts";

const missing = softTokenMissing();
const hex = (key: SecretKey): string => key.lend((octets) => Buffer.from(octets).toString("hex"));
const place = (meter: number, version = 1): KeyPlace => ({
  utility: "stadtwerke",
  island: "mainland",
  systemTitle: Uint8Array.of(0x4d, 0x4b, 0x56, 0, 0, 0, meter >> 8, meter & 0xff),
  setup: 0,
  purpose: 0,
  version,
});

describe("the vault of tokens", { skip: missing ?? false }, () => {
  const tokens = new SoftTokens();
  const make = (label: string): TokenOptions => tokens.make(label, { sessions: 2, deadlineMs: 4_000 });
  const [one, two] = missing === undefined ? [make("one"), make("two")] : [];
  after(() => tokens[Symbol.dispose]());

  /** Opens the vault of a store with these tokens, for as long as `body` takes. */
  async function opened<T>(
    store: CustodyStore,
    used: readonly TokenOptions[],
    body: (open: OpenedVault, events: readonly string[]) => Promise<T>,
  ): Promise<T> {
    const events: string[] = [];
    const open = await openVault(store, { kind: "tokens", tokens: used }, 1, (kind, { token }) =>
      events.push(`${kind} ${token}`),
    );
    try {
      return await body(open, events);
    } finally {
      tokens.fault({ kind: "none" });
      await open.close();
    }
  }

  vaultContract("one token", (body) => opened(memoryCustodyStore(), [one!], ({ vault }) => body(vault)));
  vaultContract("two tokens in PostgreSQL", (body) =>
    withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) =>
      opened(postgresCustodyStore(pool), [one!, two!], ({ vault }) => body(vault)),
    ),
  );

  test("what one token sealed the other opens, and after a restart as well", async () => {
    const store = memoryCustodyStore();
    const key = SecretKey.random(16);
    const records = await opened(store, [one!, two!], ({ vault, created }) => {
      assert.equal(created, true);
      return sealAll(
        vault,
        Array.from({ length: 10 }, () => key),
        0,
      );
    });
    for (const token of [one!, two!])
      await opened(store, [token], async ({ vault, created }) => {
        assert.equal(created, false);
        assert.deepEqual(new Set((await vault.unseal(records)).map(hex)), new Set([hex(key)]));
      });
  });

  test("tokens of another installation open nothing, and found nothing in its place", async () => {
    const store = memoryCustodyStore();
    await opened(store, [one!], async () => undefined);
    await assert.rejects(
      opened(store, [two!], async () => assert.fail()),
      { code: "vault-unavailable" },
    );
    const file = memoryCustodyStore();
    await file.installation.insertRoot({ kind: "file", parameters: "", proof: new Uint8Array(1), createdAt: 1 });
    await assert.rejects(
      opened(file, [one!], async () => assert.fail()),
      { code: "root-key-wrong" },
    );
  });

  test("a token is lost, replaced and caught up while keys are sealed and opened", async () => {
    const store = memoryCustodyStore();
    const key = SecretKey.random(32);
    const before = await opened(store, [make("lost"), two!], ({ vault }) => sealAll(vault, [key], 1));
    const absent = { ...make("away"), label: "lost for good", deadlineMs: 300 };
    const during = await opened(store, [absent, two!], ({ vault }) => sealAll(vault, [key], 2));
    const replacement = make("replacement");
    await opened(store, [two!, replacement], async ({ vault, tend }, events) => {
      const [record] = await sealAll(vault, [key], 3);
      await tend();
      assert.deepEqual(events.filter((event) => event.startsWith("token-caught-up")).length, 1);
      await tend();
      assert.deepEqual((await vault.unseal([record!])).map(hex), [hex(key)]);
    });
    await opened(store, [replacement], async ({ vault }) => {
      assert.deepEqual((await vault.unseal([...before, ...during])).map(hex), [hex(key), hex(key)]);
    });
  });

  test("a copy that does not open in its token is found at the next look and made anew, whatever it claims", async () => {
    const store = memoryCustodyStore();
    const key = SecretKey.random(16);
    const records = await opened(store, [one!, two!], ({ vault }) => sealAll(vault, [key], 1));
    for (const secret of await store.vaultSecrets.all()) {
      const dead = [...secret.copies].filter(([name]) => name.startsWith("two/"));
      assert.equal(dead.length, 1);
      const octets = (copy: { readonly octets: Uint8Array }) => copy.octets.map((octet) => octet ^ 1);
      const copies = new Map(dead.map(([name, copy]) => [name, { ...copy, octets: octets(copy) }]));
      await store.vaultSecrets.replaceCopies({ ...secret, copies });
    }
    await assert.rejects(
      opened(store, [two!], async ({ vault }) => vault.unseal(records)),
      { code: "vault-unavailable" },
    );
    await opened(store, [one!, two!], async ({ vault, tend }, events) => {
      assert.deepEqual((await vault.unseal(records)).map(hex), [hex(key)]);
      await tend();
      assert.ok(events.includes("token-caught-up undefined"), events.join());
    });
    await opened(store, [two!], async ({ vault }) =>
      assert.deepEqual((await vault.unseal(records)).map(hex), [hex(key)]),
    );
  });

  test("while one process seals without a pause a token is taken away, another put in its place and caught up, and the other lost", async () => {
    const shelf = new SoftTokens();
    const options = shelf.make("shelf", { sessions: 2, deadlineMs: 4_000 });
    const sealed: { readonly record: PlacedRecord; readonly key: string }[] = [];
    await opened(memoryCustodyStore(), [two!, options], async ({ vault, tend }, events) => {
      let isOver = false;
      const sealing = (async () => {
        while (!isOver) {
          const key = SecretKey.random(16);
          const [record] = await sealAll(vault, [key], sealed.length);
          sealed.push({ record: record!, key: hex(key) });
          assert.deepEqual((await vault.unseal([record!])).map(hex), [hex(key)]);
        }
      })();
      /** So many more were sealed and opened, each without a failure that anybody saw. */
      const more = async (count: number) => {
        const wanted = sealed.length + count;
        await Promise.race([
          until(() => sealed.length >= wanted),
          sealing.then(() => assert.ok(isOver, "sealing goes on")),
        ]);
      };
      await more(8);
      shelf.fault({ kind: "gone", times: -1 });
      await more(8);
      shelf.replace("shelf");
      shelf.fault({ kind: "none" });
      await until(async () => {
        await tend();
        return events.some((event) => event.startsWith("token-caught-up"));
      });
      await more(8);
      // What the replacement was given opens everything: nothing else is left.
      tokens.fault({ kind: "gone", times: -1 });
      await more(8);
      isOver = true;
      await sealing;
      const records = sealed.map(({ record }) => record);
      assert.deepEqual(
        (await vault.unseal(records)).map(hex),
        sealed.map(({ key }) => key),
      );
    });
    shelf[Symbol.dispose]();
  });

  test("a catch-up that is cut off before or after any copy it keeps loses nothing, and is gone on with", async () => {
    const store = memoryCustodyStore();
    const islands = ["a", "b"];
    const keys = islands.map(() => SecretKey.random(16));
    const sealed = await opened(store, [make("broken"), two!], ({ vault }) =>
      Promise.all(
        keys.map(async (key, at) => {
          const there = { ...place(at), island: islands[at]! };
          return { place: there, sealed: (await vault.seal([{ place: there, key }]))[0]! };
        }),
      ),
    );
    const opens = async (used: readonly TokenOptions[]) =>
      opened(store, used, async ({ vault }) => assert.deepEqual((await vault.unseal(sealed)).map(hex), keys.map(hex)));
    const replacement = make("instead");
    // The installation's own secret and one for each island: each in its turn is cut off twice, by a process that dies.
    const kept = (await store.vaultSecrets.all()).length;
    assert.equal(kept, islands.length + 1);
    for (let copy = 0; copy < kept; copy += 1)
      for (const isKept of [false, true]) {
        const dying = { ...store, vaultSecrets: { ...store.vaultSecrets, addCopies: cut(store, isKept) } };
        await opened(dying, [two!, replacement], async ({ vault, tend }) => {
          await assert.rejects(tend(), /cut off/);
          // Also in the same process it is tried again.
          if (!isKept) await assert.rejects(tend(), /cut off/);
          assert.deepEqual((await vault.unseal(sealed)).map(hex), keys.map(hex));
        });
      }
    await opens([two!]);
    await opened(store, [two!, replacement], ({ tend }) => tend());
    await opens([replacement]);
  });

  test("a new secret is not used while only one of several tokens has it", async () => {
    const store = memoryCustodyStore();
    await opened(store, [one!, two!], async () => undefined);
    const absent = { ...two!, label: "absent", deadlineMs: 300 };
    await opened(store, [one!, absent], async ({ vault }, events) => {
      const elsewhere = { ...place(1), island: "new" };
      const sealing = vault.seal([{ place: elsewhere, key: SecretKey.random(16) }]);
      await assert.rejects(sealing, { code: "vault-unavailable" });
      assert.ok(events.includes("token-failed absent"));
    });
    assert.equal((await store.vaultSecrets.find("stadtwerke", "new")).length, 0);
  });

  test("under every fault no key is lost and no wrong one is used, and service returns by itself", () =>
    opened(memoryCustodyStore(), [one!], async ({ vault }) => {
      // Another utility's secret lies in the same sessions: it is what a wrong handle names.
      await vault.seal([{ place: { ...place(0), utility: "nachbarwerke" }, key: SecretKey.random(16) }]);
      for (const [round, fault] of FAULTS.entries()) {
        const keys = Array.from({ length: 6 }, () => SecretKey.random(16));
        tokens.fault(fault);
        const records = await sealAll(vault, keys, round * 10);
        const under = await vault.unseal(records);
        if (fault.kind === "latency") assert.notEqual(tokens.left, fault.times, "no call was late");
        else assert.equal(tokens.left, 0, `${fault.kind}: not every call that was to fail did`);
        tokens.fault({ kind: "none" });
        assert.deepEqual(under.map(hex), keys.map(hex), `${fault.kind}: opened under the fault`);
        assert.deepEqual((await vault.unseal(records)).map(hex), keys.map(hex), `${fault.kind}: opened after it`);
      }
    }));

  test("under a fault that does not end nothing is sealed that would be lost, and service returns by itself when it does end", () =>
    opened(memoryCustodyStore(), [one!], async ({ vault }) => {
      await vault.seal([{ place: { ...place(0), utility: "nachbarwerke" }, key: SecretKey.random(16) }]);
      const keys = [1, 2].map(() => SecretKey.random(16));
      const [before] = await sealAll(vault, keys.slice(0, 1), 1);
      for (const kind of ["device-error", "session-lost", "wrong-handle"] as const) {
        tokens.fault({ kind, times: -1 });
        const under = await sealAll(vault, keys.slice(1), 2).catch((error: { readonly code?: string }) => {
          assert.equal(error.code, "vault-unavailable", kind);
          return [];
        });
        // What cannot be opened now is not called false.
        const opened = await (async () => hex((await vault.unseal([before!]))[0]!))().catch(
          ({ code }: { readonly code?: string }) => code,
        );
        assert.ok(opened === hex(keys[0]!) || opened === "vault-unavailable", `${kind}: ${opened}`);
        tokens.fault({ kind: "none" });
        const after = await sealAll(vault, keys.slice(1), 3);
        assert.deepEqual(
          (await vault.unseal([before!, ...under, ...after])).map(hex),
          [keys[0]!, ...under.map(() => keys[1]!), keys[1]!].map(hex),
          kind,
        );
      }
    }));
});

/** Ends the process that keeps a copy, before or after it is kept. */
function cut({ vaultSecrets }: CustodyStore, isKept: boolean): CustodyStore["vaultSecrets"]["addCopies"] {
  return async (secret) => {
    if (isKept) await vaultSecrets.addCopies(secret);
    throw new Error("cut off");
  };
}

const FAULTS: readonly Exclude<Fault, { readonly kind: "none" }>[] = [
  { kind: "latency", times: 40, milliseconds: 5 },
  { kind: "device-error", times: 3 },
  { kind: "session-lost", times: 3 },
  { kind: "wrong-handle", times: 1 },
  { kind: "wrong-handle", times: 5 },
  { kind: "hang", times: 1 },
  { kind: "gone", times: 3 },
];

/** Waits for a condition with patience. */
async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let left = 1200; left > 0; left -= 1) {
    if (await holds()) return;
    await sleep(50);
  }
  assert.fail("waited a minute in vain");
}

async function sealAll(vault: Vault, keys: readonly SecretKey[], from: number): Promise<PlacedRecord[]> {
  const places = keys.map((_, at) => place(from + at));
  const sealed = await vault.seal(keys.map((key, at) => ({ place: places[at]!, key })));
  return sealed.map((record, at) => ({ place: places[at]!, sealed: record }));
}
