import assert from "node:assert/strict";
import { test } from "node:test";
import type { EscrowedKey, KeyEscrow } from "../escrow/key-escrow.ts";

/** A key for tests of escrow. */
export function escrowed(version: number): EscrowedKey {
  return {
    utility: "stadtwerke",
    island: "mainland",
    systemTitle: "5453540000000001",
    setup: 0,
    purpose: 0,
    version,
    sealed: Uint8Array.of(1, 2, version),
    createdAt: 1_795_000_000_000 + version,
  };
}

/** Everything that an escrow gives. */
export async function allOf(escrow: KeyEscrow): Promise<EscrowedKey[]> {
  const keys: EscrowedKey[] = [];
  for await (const key of escrow.read()) keys.push(key);
  return keys;
}

/** What every adapter of `KeyEscrow` keeps to. `reopen` gives what is there after the process has died. */
export function keyEscrowContract(
  name: string,
  withEscrow: (body: (escrow: KeyEscrow, reopen: () => Promise<KeyEscrow>) => Promise<void>) => Promise<void>,
): void {
  test(`${name}: what was appended is there, in its order, for whoever opens it next`, () =>
    withEscrow(async (escrow, reopen) => {
      await escrow.append([escrowed(1), escrowed(2)]);
      await escrow.append([escrowed(3)]);
      assert.deepEqual(await allOf(await reopen()), [escrowed(1), escrowed(2), escrowed(3)]);
    }));

  test(`${name}: what many append at once is all there`, () =>
    withEscrow(async (escrow, reopen) => {
      await Promise.all(Array.from({ length: 100 }, (_, at) => escrow.append([escrowed(at + 1)])));
      const versions = (await allOf(await reopen())).map(({ version }) => version);
      assert.deepEqual(
        versions.sort((a, b) => a - b),
        Array.from({ length: 100 }, (_, at) => at + 1),
      );
    }));

  test(`${name}: the same key twice is two entries, neither takes the other's place`, () =>
    withEscrow(async (escrow) => {
      await escrow.append([escrowed(1)]);
      await escrow.append([escrowed(1)]);
      assert.equal((await allOf(escrow)).length, 2);
    }));
}
