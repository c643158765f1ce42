import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { CallRefusal } from "../calls/call-refusal.ts";
import { CustodyError } from "../errors.ts";
import { memoryCustodyStore } from "../store/memory-store.ts";
import type { CustodyStore } from "../store/store.ts";
import { AuthorityWorld, OPERATOR } from "../testing/authority-world.ts";
import { withTestCustody } from "../testing/test-custody.ts";
import { openVault } from "./open-vault.ts";
import { changeRoot, type RootChangeDependencies } from "./root-change.ts";

interface Bench {
  readonly store: CustodyStore;
  readonly source: { readonly kind: "file"; readonly path: string };
  /** Where a next root key lies. */
  readonly next: string;
}

async function withVault(body: (bench: Bench) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-next-"));
  try {
    const source = { kind: "file", path: join(folder, "root.key") } as const;
    await body({ store: memoryCustodyStore(), source, next: `${source.path}.next` });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const put = (path: string, text: string) => writeFileSync(path, text, { mode: 0o600 });

test("a next root key that a power cut tore keeps no vault from opening, and is made anew", () =>
  withVault(async ({ store, source, next }) => {
    await openVault(store, source, 1);
    for (const torn of ["", "00ff"]) {
      put(next, torn);
      put(`${source.path}.next.part-0011`, torn);
      const { rewrap } = await openVault(store, source, 2);
      const { write, to, adopt } = await rewrap!(source);
      await store.commit([write]);
      await adopt();
      assert.equal((await openVault(store, source, 4)).rootId, to);
      assert.deepEqual(
        readdirSync(join(source.path, "..")).filter((name) => name.includes(".next")),
        [],
      );
    }
  }));

test("a root key that lay beside the present one is not used, and what opens the vault is not removed", () =>
  withVault(async ({ store, source, next }) => {
    await openVault(store, source, 1);
    const { rewrap } = await openVault(store, source, 2);
    await rewrap!(source);
    const lain = readFileSync(next, "utf8");
    const later = await openVault(store, source, 3);
    const stale = await openVault(store, source, 3);
    const { write } = await later.rewrap!(source);
    await store.commit([write]);
    const present = readFileSync(next, "utf8");
    assert.notEqual(present, lain);
    await assert.rejects(stale.rewrap!(source), { code: "root-key-wrong" });
    await openVault(store, source, 6);
    assert.equal(readFileSync(source.path, "utf8"), present);
  }));

test("no root key lies in clear while people have not agreed, and the one that is used then was made then", () =>
  withVault(async ({ store, source, next }) =>
    withTestCustody(
      async (custody) => {
        const world = await AuthorityWorld.open(custody);
        const change = () => custody.custody.rewrapVault(source, OPERATOR, "a test");
        await assert.rejects(change(), { code: "approval-required" });
        assert.equal(existsSync(next), false);
        const stolen = `${"5a".repeat(32)}\n`;
        put(next, stolen);
        const { to } = await world.agreed(change);
        assert.equal((await openVault(store, source, 1)).rootId, to);
        assert.notEqual(readFileSync(source.path, "utf8"), stolen);
        const burnt = (await store.ledger.ofKinds(["change-executed"])).map(({ body }) => JSON.parse(body));
        assert.equal(burnt.filter(({ kind }) => kind === "rewrap-vault").length, 1);
        await assert.rejects(change(), { code: "approval-required" });
      },
      store,
      { vault: source },
    ),
  ));

test("a next root key goes where its change is known not to have happened, and stays where nobody knows", () =>
  withVault(async ({ store, source, next }) => {
    const opened = await openVault(store, source, 1);
    const changed = (fails: { require?: Error; submit?: Error }) => {
      const dependencies = {
        opened,
        changes: {
          requireApproved: async () => undefined,
          require: async (_kind, _body, _caller, _reason, { doing } = {}) => {
            if (fails.require) throw fails.require;
            const approved = { hash: undefined, approvedBy: [] };
            const { writes = [] } = doing?.(approved) ?? {};
            await store.commit(fails.submit?.message === "the line is cut" ? writes : []);
            if (fails.submit) throw fails.submit;
            return approved;
          },
        },
        now: () => 2,
      } satisfies RootChangeDependencies;
      return changeRoot(dependencies, source, OPERATOR, "a test");
    };
    const refusal = new CallRefusal("approval-required", "burnt by another");
    await assert.rejects(changed({ require: refusal }), refusal);
    assert.equal(existsSync(next), false);
    const conflict = new CustodyError("custody-write-conflict", "another was first");
    await assert.rejects(changed({ submit: conflict }), conflict);
    assert.equal(existsSync(next), false);
    const denied = Object.assign(new Error("permission denied"), { severity: "ERROR", code: "42501" });
    await assert.rejects(changed({ submit: denied }), denied);
    assert.equal(existsSync(next), false);
    const cut = new Error("the line is cut");
    await assert.rejects(changed({ submit: cut }), cut);
    const made = readFileSync(next, "utf8");
    await openVault(store, source, 3);
    assert.equal(readFileSync(source.path, "utf8"), made);
  }));

test("the present passphrase is not another one, whatever its salt", async () => {
  const store = memoryCustodyStore();
  const source = { kind: "passphrase", passphrase: "a b c" } as const;
  const { rewrap } = await openVault(store, source, 1);
  await assert.rejects(rewrap!(source), { code: "root-key-wrong", message: /passphrase is the present one/ });
  await assert.rejects(rewrap!({ kind: "passphrase", passphrase: "a\u00a0b c" }), { code: "root-key-wrong" });
  await rewrap!({ kind: "passphrase", passphrase: "a b d" });
});
