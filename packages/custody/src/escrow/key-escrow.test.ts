import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { allOf, escrowed, keyEscrowContract } from "../testing/key-escrow-contract.ts";
import { openFileEscrow } from "./file-escrow.ts";
import { type KeyEscrow, memoryEscrow } from "./key-escrow.ts";

keyEscrowContract("escrow in memory", async (body) => {
  const escrow = memoryEscrow();
  await body(escrow, async () => escrow);
});

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-escrow-"));
  try {
    await body(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

keyEscrowContract("escrow in a file", (body) =>
  withFolder(async (folder) => {
    const opened: KeyEscrow[] = [];
    const open = async () => {
      const escrow = await openFileEscrow(join(folder, "second"));
      opened.push(escrow);
      return escrow;
    };
    await body(await open(), open);
    for (const escrow of opened) await escrow.close();
  }),
);

test("a line that a dying machine tore is left out, and the next one is whole", () =>
  withFolder(async (folder) => {
    const first = await openFileEscrow(folder);
    await first.append([escrowed(1)]);
    await first.close();
    appendFileSync(join(folder, "keys.escrow"), "0123456789abcdef [1,");
    const second = await openFileEscrow(folder);
    await second.append([escrowed(2)]);
    assert.deepEqual(
      (await allOf(second)).map(({ version }) => version),
      [1, 2],
    );
    await second.close();
    assert.equal(statSync(join(folder, "keys.escrow")).mode & 0o777, 0o600);
  }));

test("an append that a full disk cut short fails, and takes nothing of the next one with it", (t) =>
  withFolder(async (folder) => {
    const escrow = await openFileEscrow(folder);
    await escrow.append([escrowed(1)]);
    const probe = await open(join(folder, "keys.escrow"));
    const cut = t.mock.method(
      Object.getPrototypeOf(probe),
      "appendFile",
      async function (this: typeof probe, text: string) {
        await this.write(text.slice(0, text.length / 2));
        throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
      },
    );
    await probe.close();
    await assert.rejects(escrow.append([escrowed(2)]), { code: "escrow-failed" });
    cut.mock.restore();
    await escrow.append([escrowed(3)]);
    await escrow.append([escrowed(4)]);
    assert.deepEqual(
      (await allOf(escrow)).map(({ version }) => version),
      [1, 3, 4],
    );
    await escrow.close();
  }));

test("an escrow whose storage has gone takes no key", () =>
  withFolder(async (folder) => {
    const directory = join(folder, "second");
    const escrow = await openFileEscrow(directory);
    await escrow.append([escrowed(1)]);
    rmSync(directory, { recursive: true });
    await assert.rejects(escrow.append([escrowed(2)]), { code: "escrow-failed" });
    await escrow.close();
  }));

test("an escrow that cannot be written says so with its own code", () =>
  withFolder(async (folder) => {
    const file = join(folder, "not-a-directory");
    writeFileSync(file, "");
    await assert.rejects(openFileEscrow(join(file, "escrow")), { code: "escrow-failed" });
  }));

test("a link that the owner of its storage put in an escrow's place takes no key, also of one that is open, and is not read", () =>
  withFolder(async (folder) => {
    const [file, other] = [join(folder, "keys.escrow"), join(folder, "other")];
    const escrow = await openFileEscrow(folder);
    await escrow.append([escrowed(1)]);
    writeFileSync(other, readFileSync(file));
    rmSync(file);
    symlinkSync(other, file);
    const before = readFileSync(other, "utf8");
    await assert.rejects(escrow.append([escrowed(2)]), { code: "escrow-failed", message: /is a link/ });
    await assert.rejects(openFileEscrow(folder), { code: "escrow-failed", message: /is a link/ });
    await assert.rejects(allOf(escrow), /is a link/);
    assert.equal(readFileSync(other, "utf8"), before);
    await escrow.close();
  }));
