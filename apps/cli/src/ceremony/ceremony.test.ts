import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { scratchTerminal } from "../testing/scratch-terminal.ts";
import {
  aborted,
  begin,
  type Ceremony,
  finished,
  handedOut,
  joinSecret,
  type ShareFile,
  shareFor,
  stateOf,
  transcriptOf,
  verified,
} from "./ceremony.ts";
import { beginCeremony, finishCeremony, handOut, restoreSecret, verifyShares } from "./run.ts";
import { joinShares, multiply, splitSecret } from "./shamir.ts";

const AT = "2026-11-21T00:00:00Z";
const random = (octets: number) => new Uint8Array(randomBytes(octets));

test("products in the field are those of FIPS 197 4.2", () => {
  assert.equal(multiply(0x57, 0x83), 0xc1);
  assert.equal(multiply(0x57, 0x13), 0xfe);
  for (const [power, product] of [
    [0x02, 0xae],
    [0x04, 0x47],
    [0x08, 0x8e],
    [0x10, 0x07],
  ] as const)
    assert.equal(multiply(0x57, power), product);
});

test("any M shares give the secret, and M - 1 are as likely for every other secret", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.integer({ min: 2, max: 8 }),
      fc.nat(4),
      (secret, m, more) => {
        const shares = [...splitSecret(secret, m + more, m, random)].sort(() => Math.random() - 0.5);
        assert.deepEqual([...joinShares(shares.slice(0, m))], [...secret]);
        assert.deepEqual([...joinShares(shares)], [...secret]);
      },
    ),
    { numRuns: 300 },
  );
  // One octet, 2 of 2: every value of the one share fits every secret with exactly one value of the other.
  const seen = new Set<number>();
  for (let other = 0; other < 256; other += 1)
    seen.add(
      joinShares([
        { index: 1, octets: Uint8Array.of(77) },
        { index: 2, octets: Uint8Array.of(other) },
      ])[0] ?? 0,
    );
  assert.equal(seen.size, 256);
});

test("nothing old may die before every share was brought back and enough of them gave the secret", () => {
  const secret = random(32);
  let ceremony: Ceremony = begin(secret, { purpose: "a root", shares: 3, threshold: 2 }, AT);
  const early: ShareFile = shareFor(ceremony, 1);
  assert.throws(() => verified(ceremony, [early], AT), /not every share/);
  const files = [1, 2, 3].map((index) => {
    const share = shareFor(ceremony, index);
    ceremony = handedOut(ceremony, index, `person ${index}`, AT);
    return share;
  });
  assert.equal(stateOf(ceremony), "verifying");
  assert.throws(() => shareFor(ceremony, 1), /was handed out/);
  for (const file of files) ceremony = verified(ceremony, [file], AT);
  assert.throws(() => finished(ceremony, AT), /2 together/);
  const other = { ...(files[0] as ShareFile), octets: `00${files[0]?.octets.slice(2)}` };
  if (other.octets !== files[0]?.octets) assert.throws(() => verified(ceremony, [other], AT), /not the one/);
  ceremony = verified(ceremony, files.slice(0, 2), AT);
  assert.equal(stateOf(ceremony), "proven");
  ceremony = finished(ceremony, AT);
  assert.deepEqual([...joinSecret(ceremony, files.slice(1))], [...secret]);
  assert.throws(() => joinSecret(ceremony, files.slice(0, 1)), /takes 2/);
  assert.throws(() => aborted(ceremony, AT), /finished/);
  const { text } = transcriptOf(ceremony);
  for (const file of files) assert.ok(!text.includes(file.octets));
  assert.ok(!text.includes(Buffer.from(secret).toString("hex")));
});

test("a ceremony that is interrupted anywhere is gone on with, by the same command", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-ceremony-"));
  const terminal = scratchTerminal();
  const of = (name: string) => join(folder, name);
  try {
    const secret = randomBytes(48);
    writeFileSync(of("secret"), secret);
    const place = { folder: of("kept") };
    await beginCeremony(of("secret"), { ...place, purpose: "a root", shares: "3", threshold: "2" }, terminal);
    const state = of("kept/ceremony.json");
    /** A command that died before what it had done was kept: the state is the one from before. */
    const twice = async (command: () => Promise<void>) => {
      const before = readFileSync(state);
      await command();
      writeFileSync(state, before);
      await command();
    };
    for (const index of ["1", "2", "3"])
      await twice(() => handOut(index, { ...place, to: of(`share-${index}`), person: `person ${index}` }, terminal));
    await twice(() => verifyShares([of("share-1"), of("share-3")], place, terminal));
    await assert.rejects(finishCeremony({ ...place, requester: "operator" }, terminal), { code: "option-invalid" });
    await twice(() => verifyShares([of("share-2")], place, terminal));
    await twice(() => finishCeremony({ ...place, requester: "operator" }, terminal));
    await finishCeremony({ ...place, requester: "operator" }, terminal);
    assert.ok(existsSync(of("kept/transcript.json")));
    await restoreSecret([of("share-2"), of("share-3")], { ...place, to: of("again") }, terminal);
    assert.deepEqual(readFileSync(of("again")), secret);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("two who come at once do not forget what the other did: one of them comes again", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-ceremony-"));
  const terminal = scratchTerminal();
  const of = (name: string) => join(folder, name);
  const place = { folder: of("kept") };
  const hand = (index: string) => handOut(index, { ...place, to: of(`m${index}`), person: "p" }, terminal);
  try {
    writeFileSync(of("secret"), randomBytes(32));
    await beginCeremony(of("secret"), { ...place, purpose: "a root", shares: "2", threshold: "2" }, terminal);
    const [one, other] = await Promise.allSettled([hand("1"), hand("2")]);
    assert.equal(one?.status, "fulfilled");
    assert.equal(other?.status === "rejected" && other.reason.code, "already-running");
    await hand("2");
    const { held, transcript } = JSON.parse(readFileSync(of("kept/ceremony.json"), "utf8")) as Ceremony;
    assert.deepEqual([held, transcript.length], [{}, 3]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
