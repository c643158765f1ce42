import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Token } from "@meterkeep/hsm";
import { SoftTokens, softTokenMissing } from "@meterkeep/hsm/testing";
import type { LedgerDraft } from "@meterkeep/ledger";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { OPERATOR } from "../testing/authority-world.ts";
import { withTestCustody } from "../testing/test-custody.ts";
import { openVault } from "./open-vault.ts";
import { readTokensFile } from "./tokens/tokens-file.ts";
import { VaultService } from "./vault-service.ts";

test("that no copy of the root key is kept is said at every start until somebody says that one is, and again of another root key", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-copied-"));
  try {
    await withTestCustody(
      async (custody) => {
        const isCopied = async () => (await custody.custody.service.status({}, OPERATOR)).rootKeyCopied;
        await custody.restart();
        assert.equal(await isCopied(), false);
        await custody.custody.service.noteRootKeyCopy({ where: "the safe in room 4" }, OPERATOR);
        assert.equal(await isCopied(), true);
        await custody.restart();
        assert.equal(await isCopied(), true);
        const [entry] = await custody.store.ledger.ofKinds(["root-key-copied"]);
        const { root, where } = JSON.parse(entry?.body ?? "{}");
        assert.deepEqual([entry?.principal, where], [OPERATOR.name, "the safe in room 4"]);
        const next = { kind: "file", path: join(folder, "root.key") } as const;
        const { from } = await custody.custody.rewrapVault(next, OPERATOR, "a test");
        assert.equal(from, root);
        await custody.restart();
        assert.equal(await isCopied(), false);
      },
      memoryCustodyStore(),
      { vault: { kind: "file", path: join(folder, "root.key") } },
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a token whose PIN was refused is tried again once somebody says so, and by name", {
  skip: softTokenMissing() ?? false,
}, async () => {
  using tokens = new SoftTokens();
  const [one, two] = ["one", "two"].map((label) => tokens.make(label, { sessions: 2, deadlineMs: 20_000 })) as [
    ReturnType<SoftTokens["make"]>,
    ReturnType<SoftTokens["make"]>,
  ];
  const store = memoryCustodyStore();
  await (await openVault(store, { kind: "tokens", tokens: [one, two] }, 1)).close();
  const path = join(tokens.directory, "tokens.json");
  const write = (pinOfTwo: string) => {
    const listed = [
      { ...two, pin: pinOfTwo },
      { ...one, pin: one.pin() as string },
    ].map(({ library, label, pin, env }) => ({ library, label, pin, env }));
    writeFileSync(path, JSON.stringify(listed), { mode: 0o600 });
  };
  write("wrong");
  const refused = join(tokens.directory, "pins-refused.json");
  const opened = await openVault(store, { kind: "tokens", tokens: await readTokensFile(path, refused) }, 1);
  const entries: LedgerDraft[] = [];
  try {
    const service = await VaultService.open({
      opened,
      ledger: store.ledger,
      committer: { submit: async (change) => void entries.push(...(change.entries ?? [])) },
      now: () => 1,
    });
    const retry = (token: string, allowsLastTry = false) => service.retryPin({ token, allowsLastTry }, OPERATOR);
    await assert.rejects(retry("three"), { code: "request-malformed" });
    assert.deepEqual(await retry("one"), { answer: "not-latched" });
    assert.deepEqual(await retry("two"), { answer: "refused" });
    write(two.pin() as string);
    // Refused twice, a token may lock at the next: it takes somebody's word.
    assert.deepEqual(await retry("two"), { answer: "last-try" });
    // Nor does any start try it, however often the system starts it.
    const [again] = await readTokensFile(path, refused);
    await using starting = new Token(again!);
    await assert.rejects(starting.calls.describe(), {
      code: "hsm-pin-last-try",
      message: /refused its PIN 2 times in a row \(counted in .*pins-refused\.json\): none was tried/,
    });
    assert.deepEqual(await retry("two", true), { answer: "opened" });
    assert.deepEqual(JSON.parse(readFileSync(refused, "utf8")), { two: 0 });
    const told = (allowsLastTry: boolean, answer: string) => [
      ["token-pin-retried", OPERATOR.name, { token: "two", allowsLastTry }],
      ["token-pin-answered", OPERATOR.name, { token: "two", answer }],
    ];
    assert.deepEqual(
      entries.map(({ kind, principal, body }) => [kind, principal, body]),
      [...told(false, "refused"), ...told(false, "last-try"), ...told(true, "opened")],
    );
  } finally {
    await opened.close();
  }
});
