import assert from "node:assert/strict";
import { createSecretKey } from "node:crypto";
import { test } from "node:test";
import { nodeCiphers, nodeKeyWrap } from "@meterkeep/dlms-node";
import { acseApdu } from "./acse/acse-apdu.ts";
import { fromHex, toHex } from "./bytes.ts";
import { type Codec, decode, encode } from "./codec/codec.ts";
import { data } from "./data/data.ts";
import { parseProtectedApdu, protectApdu, unprotectApdu } from "./security/envelope.ts";
import { gmacReply, verifyGmacReply } from "./security/hls.ts";
import { softwareCiphers, softwareKey } from "./security/software-aes.ts";
import { sharedFile } from "./shared-folder.test.ts";
import { systemTitle } from "./system-title.ts";
import { apdu } from "./xdlms/apdu.ts";

interface Vectors<V> {
  readonly vectors: readonly V[];
}

interface GreenBookVector {
  readonly name: string;
  readonly systemTitle: string;
  readonly sc: string;
  readonly ic: string;
  readonly ek: string;
  readonly ak: string;
  readonly plain?: string;
  readonly apdu?: string;
  readonly challenge?: string;
  readonly f?: string;
  readonly kek?: string;
  readonly key?: string;
  readonly wrapped?: string;
}

const greenBook = sharedFile("vectors/greenbook-family.json") as Vectors<GreenBookVector> | undefined;
const skip = greenBook === undefined ? "the published vectors are not here" : false;

test("the Green Book's ciphered APDUs are made and opened, by the platform's ciphers and by ours", { skip }, () => {
  const vectors = greenBook!.vectors.filter(({ plain, ek }) => plain !== undefined && ek !== undefined);
  assert.equal(vectors.length, 4);
  for (const vector of vectors) {
    const expected = fromHex(vector.apdu!);
    const parsed = parseProtectedApdu(expected);
    const originator = systemTitle(fromHex(vector.systemTitle));
    const authentication = fromHex(vector.ak);
    const platform = { encryption: createSecretKey(fromHex(vector.ek)), authentication };
    const own = { encryption: softwareKey(fromHex(vector.ek)), authentication };
    const opened = unprotectApdu(nodeCiphers, platform, parsed, originator);
    assert.equal(toHex(opened.plain), vector.plain, vector.name);
    assert.equal(toHex(unprotectApdu(softwareCiphers, own, parsed, originator).plain), vector.plain, vector.name);
    const header = { form: parsed.form, control: opened.control, originator, counter: Number.parseInt(vector.ic, 16) };
    assert.equal(toHex(protectApdu(nodeCiphers, platform, header, fromHex(vector.plain!))), vector.apdu);
    assert.equal(toHex(protectApdu(softwareCiphers, own, header, fromHex(vector.plain!))), vector.apdu);
  }
});

test("the Green Book's answers to challenges are made and verified", { skip }, () => {
  const vectors = greenBook!.vectors.filter(({ challenge }) => challenge !== undefined);
  assert.equal(vectors.length, 2);
  for (const { ek, ak, ic, challenge, f, systemTitle: title } of vectors) {
    const keys = { encryption: createSecretKey(fromHex(ek)), authentication: fromHex(ak) };
    const originator = systemTitle(fromHex(title));
    const counter = Number.parseInt(ic, 16);
    assert.equal(toHex(gmacReply(nodeCiphers, keys, { suite: 0, originator, counter }, fromHex(challenge!))), f);
    assert.deepEqual(verifyGmacReply(nodeCiphers, keys, originator, fromHex(challenge!), fromHex(f!)), { counter });
  }
});

test("a key is wrapped as printed", { skip }, () => {
  const { kek, key, wrapped } = greenBook!.vectors.find((vector) => vector.wrapped !== undefined)!;
  assert.equal(toHex(nodeKeyWrap.wrap(createSecretKey(fromHex(kek!)), fromHex(key!))), wrapped);
});

test("the printed associations are read and written", { skip }, () => {
  const associations = greenBook!.vectors.filter(({ name }) => name.startsWith("AA"));
  assert.equal(associations.length, 8);
  for (const vector of associations) assertWrittenAgain(acseApdu, vector.apdu!, vector.name);
});

test("the APDUs of another library's unit tests are read and written", { skip }, () => {
  const epri = sharedFile("vectors/epri.json") as Vectors<{ name: string; path: string; hex: string }>;
  const apdus = epri.vectors.filter(({ name, path }) => /FINAL|Expected/.test(name) && path.includes("UnitTest-APDU"));
  assert.ok(apdus.length >= 8);
  for (const { hex, path } of apdus) assertWrittenAgain(hex.startsWith("6") ? acseApdu : apdu, hex, path);
});

test("the object list of a real meter is read from its blocks", { skip }, () => {
  const jdlms = sharedFile("vectors/jdlms.json") as Vectors<{ name: string; blocks?: readonly string[] }>;
  const hex = jdlms.vectors.find(({ blocks }) => blocks !== undefined)!.blocks!.join("");
  const list = decode(data, fromHex(hex));
  assert.equal(list.type, "array");
  assert.equal(list.value.length, 123);
  // The meter writes its counts in a longer form than needed.
  assert.deepEqual(decode(data, encode(data, list)), list);
});

test("general ciphering and signing are taken apart", { skip }, () => {
  const { vectors } = sharedFile("vectors/gurux-java-general-protection.json") as Vectors<{
    readonly scheme: string;
    readonly security: string;
    readonly apdu: string;
  }>;
  // Without ciphering, that library leaves out the length of the signed content.
  const whole = vectors.filter((vector) => vector.apdu !== "" && vector.security !== "NONE");
  assert.equal(whole.length, 15);
  for (const vector of whole) assertWrittenAgain(apdu, vector.apdu, `${vector.scheme} ${vector.security}`);
});

function assertWrittenAgain(codec: Codec<unknown>, hex: string, name: string): void {
  assert.equal(toHex(encode(codec, decode(codec, fromHex(hex)))), hex, name);
}
