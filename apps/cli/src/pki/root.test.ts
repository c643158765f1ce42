import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { toHex } from "@meterkeep/dlms";
import { decodeCertificate, fromPem, isSignedBy, localSigner, makeRequestWith, openCrl, toPem } from "@meterkeep/pki";
import fc from "fast-check";
import { beginCeremony, finishCeremony, handOut, verifyShares } from "../ceremony/run.ts";
import { CliError } from "../error.ts";
import type { Terminal } from "../terminal.ts";
import { scratchTerminal } from "../testing/scratch-terminal.ts";
import { listOfRoot, makeRootInFolder, type RootOptions, revokeWithRoot, signWithRoot } from "./root.ts";
import { type RootRegister, readRegister } from "./root-register.ts";

const code = (wanted: string) => (error: unknown) => error instanceof CliError && error.code === wanted;

interface Drawer {
  readonly at: (name: string) => string;
  readonly terminal: Terminal;
  readonly byFile: { readonly folder: string; readonly passphraseFile: string };
  readonly register: () => RootRegister & { readonly signature: string };
}

async function schemeRequest(): Promise<Uint8Array> {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const { x, y } = privateKey.export({ format: "jwk" }) as { readonly x: string; readonly y: string };
  const point = new Uint8Array(Buffer.concat([Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]));
  return makeRequestWith(localSigner(privateKey, { curve: "P-384", point }), "National scheme");
}

/** A root in a folder, and the request of a scheme. */
async function withRoot(body: (drawer: Drawer) => Promise<void>): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "meterkeep-root-"));
  const at = (name: string) => join(home, name);
  const terminal = scratchTerminal();
  const byFile = { folder: at("drawer"), passphraseFile: at("passphrase") };
  try {
    writeFileSync(at("passphrase"), "correct horse battery staple\n", { mode: 0o600 });
    await makeRootInFolder("National root", { ...byFile, years: "40" }, terminal);
    writeFileSync(at("scheme.csr"), toPem("CERTIFICATE REQUEST", await schemeRequest()));
    await body({
      at,
      terminal,
      byFile,
      register: () => JSON.parse(readFileSync(at("drawer/register.json"), "utf8")) as ReturnType<Drawer["register"]>,
    });
  } finally {
    rmSync(home, { recursive: true });
  }
}

test("two of three people open the key of a root together: nobody has its passphrase, and the register says who came", () =>
  withRoot(async ({ at, terminal, byFile, register }) => {
    const kept = { folder: at("kept") };
    await beginCeremony(at("passphrase"), { ...kept, purpose: "a root", shares: "3", threshold: "2" }, terminal);
    const people = ["Ana", "Ben", "Cleo"];
    for (const [before, person] of people.entries())
      await handOut(String(before + 1), { ...kept, to: at(person), person }, terminal);
    const holders = (...names: readonly string[]) => ({
      folder: byFile.folder,
      ceremony: kept.folder,
      share: names.map(at),
    });
    const sign = (options: RootOptions) =>
      signWithRoot(at("scheme.csr"), at("scheme.crt"), { ...options, profile: "scheme" }, terminal);
    await assert.rejects(sign(holders("Ana", "Ben")), code("option-invalid"), "nobody has proven a share yet");
    await verifyShares(people.map(at), kept, terminal);
    await finishCeremony({ ...kept, requester: "operator" }, terminal);
    rmSync(at("passphrase"));
    await assert.rejects(sign(byFile), code("input-unreadable"), "the file is gone");
    await assert.rejects(sign(holders("Cleo")), code("option-invalid"), "one alone");
    await assert.rejects(sign({ ...holders("Ana", "Ben"), passphraseFile: at("passphrase") }), code("option-invalid"));
    await sign(holders("Cleo", "Ana"));
    const [root, scheme] = ["drawer/root.crt", "scheme.crt"].map((name) =>
      decodeCertificate(fromPem("CERTIFICATE", readFileSync(at(name), "utf8"))[0]!),
    );
    assert.ok(isSignedBy(root!.publicKey, scheme!.signatureAlgorithm, scheme!.toBeSigned, scheme!.signature));
    const serial = toHex(scheme!.serial);
    // Zeros that some programs print before it are no other number.
    await revokeWithRoot(`0000${serial}`, { ...holders("Ben", "Cleo"), reason: "cACompromise" }, terminal);
    await listOfRoot(at("root.crl"), { ...holders("Ana", "Cleo"), days: "400" }, terminal);
    const list = openCrl(new Uint8Array(readFileSync(at("root.crl"))), root!);
    assert.deepEqual(
      [...list.revocations].map((one) => toHex(one.serial)),
      [serial],
    );
    const { issued, revoked, lists } = register();
    assert.deepEqual([issued[0]?.holders, revoked[0]?.holders, lists], [["Cleo", "Ana"], ["Ben", "Cleo"], 1]);
  }));

test("whoever takes a revocation out of a root's register is found out before the next list is signed", () =>
  withRoot(async ({ at, terminal, byFile, register }) => {
    await signWithRoot(at("scheme.csr"), at("scheme.crt"), { ...byFile, profile: "scheme" }, terminal);
    const { serial } = register().issued[0]!;
    await revokeWithRoot(serial, { ...byFile, reason: "cACompromise" }, terminal);
    const path = at("drawer/register.json");
    const sound = readFileSync(path, "utf8");
    const { signature: _, ...bare } = JSON.parse(sound) as Record<string, unknown>;
    const others: readonly unknown[] = [
      { ...JSON.parse(sound), revoked: [] },
      { ...JSON.parse(sound), lists: 7 },
      { ...JSON.parse(sound), issued: [] },
      { ...JSON.parse(sound), signature: "" },
      { ...JSON.parse(sound), format: "another" },
      bare,
      null,
      [],
    ];
    for (const other of others) {
      writeFileSync(path, JSON.stringify(other));
      await assert.rejects(listOfRoot(at("x.crl"), { ...byFile, days: "400" }, terminal), code("input-unreadable"));
      const again = { ...byFile, profile: "scheme" };
      await assert.rejects(signWithRoot(at("scheme.csr"), at("x.crt"), again, terminal), code("input-unreadable"));
    }
    writeFileSync(path, sound);
    const folder = at("drawer");
    const root = decodeCertificate(fromPem("CERTIFICATE", readFileSync(at("drawer/root.crt"), "utf8"))[0]!);
    const whole = readRegister(folder, root);
    fc.assert(
      fc.property(fc.nat(sound.length - 1), fc.integer({ min: 0, max: 255 }), fc.nat(20), (place, octet, cut) => {
        const octets = Buffer.from(sound);
        octets[place] = octet;
        writeFileSync(path, Buffer.concat([octets.subarray(0, place + 1), octets.subarray(place + 1 + (cut % 3))]));
        try {
          assert.deepEqual(readRegister(folder, root), whole, "what is read is what was signed");
        } catch (error) {
          if (!(error instanceof CliError)) throw error;
          assert.equal(error.code, "input-unreadable");
        }
      }),
      { numRuns: 500 },
    );
    writeFileSync(path, sound);
    await listOfRoot(at("root.crl"), { ...byFile, days: "400" }, terminal);
  }));
