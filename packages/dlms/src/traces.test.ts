import assert from "node:assert/strict";
import { createSecretKey, type KeyObject } from "node:crypto";
import { test } from "node:test";
import { importPrivateKey, nodeCiphers, nodeCurves, nodeHashes } from "@meterkeep/dlms-node";
import { acseApdu } from "./acse/acse-apdu.ts";
import { fromHex, toHex } from "./bytes.ts";
import { decodeFirst, encode } from "./codec/codec.ts";
import { DecodeError } from "./errors.ts";
import type { ProtectionKeys } from "./security/content.ts";
import { parseProtectedApdu, unprotectApdu } from "./security/envelope.ts";
import { parseGeneralSigning, verifySignedApdu } from "./security/general-signing.ts";
import { verifyGmacReply } from "./security/hls.ts";
import { aesMechanism, ecdsaMechanism, type HlsMechanism, hashMechanism } from "./security/hls-mechanisms.ts";
import { sharedFiles } from "./shared-folder.test.ts";
import { systemTitle } from "./system-title.ts";
import { apdu } from "./xdlms/apdu.ts";

/** What a recorded exchange holds, as far as these tests read it. */
interface Trace {
  readonly mechanism: number | null;
  readonly password: string | null;
  readonly clientSystemTitle: string | null;
  readonly serverSystemTitle: string | null;
  readonly keys: {
    readonly guek: string | null;
    readonly gak: string | null;
    readonly dedicated: string | null;
    readonly signingClient?: { readonly private: string; readonly public: string };
    readonly signingServer?: { readonly private: string; readonly public: string };
  };
  readonly apdus: readonly {
    readonly msg: number;
    readonly dir: "c>s" | "s>c";
    readonly apdu: string;
    readonly authValue?: string;
    readonly deciphered?: { readonly plain: string };
    readonly userInfo?: { readonly plain?: string };
  }[];
}

/** APDUs that no decoder should take: what broken peers sent, by the beginning of the octets, and how they fail. */
const BROKEN: readonly (readonly [begins: string, code: string, why: string])[] = [
  ["c503c103", "truncated", "a last-datablock without its number"],
  ["c402c10113", "truncated", "the next slice"],
  ["c402c10001340204", "unknown-tag", "slices of a general block transfer without their envelope"],
  ["0001c109", "unknown-tag", "half of a general block transfer"],
];

const files = sharedFiles("traces");
const skip = files === undefined ? "the recorded exchanges are not here" : false;
const traces = (files ?? []).map(({ name, read }) => ({ name, trace: read() as Trace }));

test("every APDU that other stacks exchanged is decoded, and written again as it was", { skip }, () => {
  let decoded = 0;
  let rewritten = 0;
  const unexpected: string[] = [];
  for (const { name, trace } of traces)
    for (const item of trace.apdus)
      for (const hex of [item.apdu, item.deciphered?.plain, item.userInfo?.plain]) {
        if (hex === undefined) continue;
        try {
          if (isWrittenAgain(hex)) rewritten += 1;
          decoded += 1;
        } catch (error) {
          assert.ok(error instanceof DecodeError, `${name}: ${String(error)}`);
          const known = BROKEN.some(([begins, code]) => hex.startsWith(begins) && code === error.code);
          if (!known) unexpected.push(`${name} message ${item.msg}: ${error.message} in ${hex.slice(0, 80)}`);
        }
      }
  assert.deepEqual(unexpected, []);
  assert.ok(decoded >= 7450, `${decoded} decoded`);
  // What differs: some that repeat themselves after their end, 45 releases with wrong lengths, two booleans of 04.
  assert.ok(decoded - rewritten < 140, `${decoded - rewritten} of ${decoded} came out otherwise`);
});

function isWrittenAgain(hex: string): boolean {
  const bytes = fromHex(hex);
  const isAcse = bytes[0]! >= 0x60 && bytes[0]! <= 0x63;
  if (isAcse) {
    const { value, rest } = decodeFirst(acseApdu, bytes);
    return rest.length === 0 && toHex(encode(acseApdu, value)) === hex;
  }
  const { value, rest } = decodeFirst(apdu, bytes);
  return rest.length === 0 && toHex(encode(apdu, value)) === hex;
}

test("every ciphered APDU of the exchanges opens to what it was, its tag verified where it has one", { skip }, () => {
  let opened = 0;
  for (const { name, trace } of traces) {
    const { guek, gak, dedicated } = trace.keys;
    if (guek === null || gak === null) continue;
    for (const item of trace.apdus) {
      if (item.deciphered === undefined) continue;
      const parsed = parseProtectedApdu(fromHex(item.apdu));
      const title = item.dir === "c>s" ? trace.clientSystemTitle : trace.serverSystemTitle;
      // Where the recorder did not keep the title, only the general forms say it.
      if (title === null && parsed.originator === undefined) continue;
      const key: string | null = parsed.form.includes("dedicated") ? dedicated : guek;
      assert.ok(key !== null, `${name}: no dedicated key was recorded`);
      const keys: ProtectionKeys<KeyObject> = {
        encryption: createSecretKey(fromHex(key)),
        authentication: fromHex(gak),
      };
      const originator = title === null ? undefined : systemTitle(fromHex(title));
      const { plain, tag, control } = unprotectApdu(nodeCiphers, keys, parsed, originator);
      assert.equal(toHex(plain), item.deciphered.plain, `${name} message ${item.msg}`);
      assert.equal(tag, control.authenticated ? "verified" : "absent");
      opened += 1;
    }
  }
  assert.ok(opened > 2400, `${opened} opened`);
});

test("the recorded answers to challenges under mechanism 5 verify", { skip }, () => {
  let verified = 0;
  for (const { trace } of traces) {
    const { guek, gak } = trace.keys;
    if (trace.mechanism !== 5 || guek === null || gak === null) continue;
    const keys = { encryption: createSecretKey(fromHex(guek)), authentication: fromHex(gak) };
    const challenges = { "c>s": "", "s>c": "" };
    for (const item of trace.apdus) {
      if (item.authValue !== undefined) challenges[item.dir] = item.authValue;
      const reply = replyIn(item.deciphered?.plain ?? item.apdu);
      const title = item.dir === "c>s" ? trace.clientSystemTitle : trace.serverSystemTitle;
      if (reply === undefined || title === null) continue;
      const challenge = fromHex(challenges[item.dir === "c>s" ? "s>c" : "c>s"]);
      if (verifyGmacReply(nodeCiphers, keys, systemTitle(fromHex(title)), challenge, reply) !== undefined)
        verified += 1;
    }
  }
  assert.ok(verified >= 76, `${verified} verified`);
});

test("the recorded answers under the other mechanisms are what we would answer, or verify", { skip }, () => {
  const verified: Record<string, number> = {};
  for (const { name, trace } of traces) {
    const challenges = { "c>s": "", "s>c": "" };
    for (const item of trace.apdus) {
      if (item.authValue !== undefined) challenges[item.dir] = item.authValue;
      const reply = replyIn(item.deciphered?.plain ?? item.apdu);
      const mechanism = mechanismOf(trace, item.dir);
      if (reply === undefined || mechanism === undefined) continue;
      const [own, other] = item.dir === "c>s" ? (["c>s", "s>c"] as const) : (["s>c", "c>s"] as const);
      const titles = { "c>s": fromHex(trace.clientSystemTitle ?? ""), "s>c": fromHex(trace.serverSystemTitle ?? "") };
      const exchange = {
        challenge: fromHex(challenges[other]),
        ownChallenge: fromHex(challenges[own]),
        ownTitle: titles[own],
        otherTitle: titles[other],
      };
      assert.ok(mechanism.verify(exchange, reply), `${name} ${item.dir}`);
      reply[0]! ^= 1;
      assert.ok(!mechanism.verify(exchange, reply));
      verified[mechanism.name] = (verified[mechanism.name] ?? 0) + 1;
    }
  }
  assert.deepEqual(verified, EXPECTED_ANSWERS);
});

const EXPECTED_ANSWERS = { high: 13, "high-sha1": 2, "high-sha256": 2, "high-ecdsa": 9 };

/** Our own end of a recorded mechanism, judging what `side` answered. */
function mechanismOf(trace: Trace, side: "c>s" | "s>c"): HlsMechanism | undefined {
  const secret = Uint8Array.from(trace.password ?? "", (character) => character.charCodeAt(0));
  if (trace.mechanism === 2 && trace.password !== null) return aesMechanism(secret);
  if (trace.mechanism === 4) return hashMechanism(nodeHashes, "high-sha1", secret);
  if (trace.mechanism === 6) return hashMechanism(nodeHashes, "high-sha256", secret);
  const { signingClient, signingServer } = trace.keys;
  if (trace.mechanism !== 7 || signingClient === undefined || signingServer === undefined) return undefined;
  const signer = fromHex((side === "c>s" ? signingClient : signingServer).public);
  const suite = signer.length === 64 ? 1 : 2;
  const signing = importPrivateKey(
    suite === 1 ? "P-256" : "P-384",
    fromHex(signingClient.private),
    fromHex(signingClient.public),
  );
  return ecdsaMechanism({ curves: nodeCurves, suite, signing, otherSigning: () => signer });
}

test("the recorded signatures hold over what that stack signs, with its ciphered requests inside", { skip }, () => {
  const trace = traces.find(({ name }) => name.includes("generalsigning"))?.trace;
  assert.ok(trace !== undefined);
  const signer = fromHex(trace.keys.signingClient?.public ?? "");
  // It leaves the length of the content out; with it nothing verifies.
  const verify = (hex: string, signedContentLength: boolean) =>
    verifySignedApdu(
      { curves: nodeCurves, suite: 1, profile: { signedContentLength } },
      signer,
      parseGeneralSigning(fromHex(hex)),
    );
  const signed = trace.apdus.filter(({ apdu: hex }) => hex.startsWith("df"));
  assert.equal(signed.length, 8);
  for (const { apdu: hex } of signed) {
    assert.throws(() => verify(hex, true), { code: "authentication-failed" });
    const encryption = createSecretKey(fromHex(trace.keys.guek!));
    const keys: ProtectionKeys<KeyObject> = { encryption, authentication: fromHex(trace.keys.gak!) };
    const title = systemTitle(fromHex(trace.clientSystemTitle!));
    assert.equal(unprotectApdu(nodeCiphers, keys, parseProtectedApdu(verify(hex, false)), title).tag, "verified");
  }
});

/** The octets of reply_to_HLS_authentication in its request or response. */
function replyIn(hex: string): Uint8Array | undefined {
  const match = /^(?:c301..000f0000280000ff010109|c701..00010009)(..)((?:..)+)$/.exec(hex);
  const reply = match === null ? undefined : fromHex(match[2]!);
  return reply?.length === Number.parseInt(match?.[1] ?? "", 16) ? reply : undefined;
}
