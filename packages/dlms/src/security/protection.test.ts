import assert from "node:assert/strict";
import { createSecretKey } from "node:crypto";
import { test } from "node:test";
import { nodeCiphers } from "@meterkeep/dlms-node";
import fc from "fast-check";
import { fromHex, toHex } from "../bytes.ts";
import { DlmsError } from "../errors.ts";
import { systemTitle } from "../system-title.ts";
import { protectContent, unprotectContent } from "./content.ts";
import { securityControl } from "./control.ts";
import { parseProtectedApdu, protectApdu, unprotectApdu } from "./envelope.ts";
import { gmacReply, verifyGmacReply } from "./hls.ts";
import { softwareCiphers, softwareKey } from "./software-aes.ts";
import type { ProtectionForm } from "./tags.ts";

const encryptionKey = fromHex("000102030405060708090a0b0c0d0e0f");
const authentication = fromHex("d0d1d2d3d4d5d6d7d8d9dadbdcdddedf");
const node = { encryption: createSecretKey(encryptionKey), authentication };
const software = { encryption: softwareKey(encryptionKey), authentication };
const originator = systemTitle(fromHex("4d4d4d0000bc614e"));
const counter = 0x01234567;
const getRequest = fromHex("c0010000080000010000ff0200");
const dedicated = { encryption: createSecretKey(fromHex("ff".repeat(16))), authentication };
const keysOf = (form: ProtectionForm) => (form.endsWith("dedicated") ? dedicated : node);

test("a get-request is protected in the three ways that the Green Book prints (table 40)", () => {
  const seal = (authenticated: boolean, encrypted: boolean): string =>
    toHex(
      protectContent(
        nodeCiphers,
        node,
        { control: securityControl({ authenticated, encrypted }), originator, counter },
        getRequest,
      ),
    );
  assert.equal(seal(true, false), "1001234567c0010000080000010000ff020006725d910f9221d263877516");
  assert.equal(seal(false, true), "2001234567411312ff935a47566827c467bc");
  assert.equal(seal(true, true), "3001234567411312ff935a47566827c467bc7d825c3be4a77c3fcc056b6b");
});

test("the challenge of the Green Book's HLS example gets the printed answer (table 43)", () => {
  const client = systemTitle(fromHex("4d4d4d0000000001"));
  const reply = gmacReply(nodeCiphers, node, { suite: 0, originator: client, counter: 1 }, fromHex("503677524a323146"));
  assert.equal(toHex(reply), "10000000011a52fe7dd3e72748973c1e28");
  assert.deepEqual(verifyGmacReply(nodeCiphers, node, client, fromHex("503677524a323146"), reply), { counter: 1 });
  assert.equal(verifyGmacReply(nodeCiphers, node, client, fromHex("503677524a323147"), reply), undefined);
  assert.equal(verifyGmacReply(nodeCiphers, node, client, fromHex("503677524a323146"), reply.subarray(1)), undefined);
});

test("the ciphers in TypeScript agree with the platform's, for both key lengths", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(16, 32).chain((length) => fc.uint8Array({ minLength: length, maxLength: length })),
      fc.record({ originator: fc.uint8Array({ minLength: 8, maxLength: 8 }), counter: fc.nat(0xffffffff) }),
      fc.record({
        control: fc.nat(255),
        authentication: fc.uint8Array({ maxLength: 32 }),
        associated: fc.option(fc.uint8Array({ maxLength: 40 }), { nil: undefined }),
        text: fc.option(fc.uint8Array({ maxLength: 2000 }), { nil: undefined }),
      }),
      fc.uint8Array({ maxLength: 70 }),
      (key, iv, aad, plain) => {
        const [theirs, ours] = [createSecretKey(key), softwareKey(key)];
        const sealed = nodeCiphers.seal(theirs, iv, aad, plain);
        assert.equal(toHex(softwareCiphers.seal(ours, iv, aad, plain)), toHex(sealed));
        const [cipher, tag] = [sealed.subarray(0, plain.length), sealed.subarray(plain.length)];
        assert.equal(toHex(softwareCiphers.open(ours, iv, aad, cipher, tag)!), toHex(plain));
        assert.equal(toHex(nodeCiphers.open(theirs, iv, aad, cipher, tag)!), toHex(plain));
        assert.equal(toHex(softwareCiphers.crypt(ours, iv, plain)), toHex(nodeCiphers.crypt(theirs, iv, plain)));
      },
    ),
    { numRuns: 60 },
  );
});

test("every single-bit change of an authenticated APDU is refused, by both ciphers alike", () => {
  const control = securityControl({ authenticated: true, encrypted: true });
  const content = protectContent(nodeCiphers, node, { control, originator, counter }, getRequest);
  for (let bit = 0; bit < content.length * 8; bit += 1) {
    const changed = Uint8Array.from(content);
    changed[bit >> 3]! ^= 1 << (bit & 7);
    // Without its authentication bit the octet says that there is no tag: then nothing is claimed to be authentic.
    const outcome = (open: () => { tag: string }): string => {
      try {
        return open().tag;
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    const one = outcome(() => unprotectContent(nodeCiphers, node, { originator }, changed));
    assert.notEqual(one, "verified");
    assert.equal(
      outcome(() => unprotectContent(softwareCiphers, software, { originator }, changed)),
      one,
    );
  }
});

test("an APDU travels in each form and comes back as it was", () => {
  const control = securityControl({ authenticated: true, encrypted: true });
  for (const form of ["global", "dedicated", "general-global", "general-dedicated"] satisfies ProtectionForm[]) {
    const wire = protectApdu(nodeCiphers, node, { form, control, originator, counter }, getRequest);
    const parsed = parseProtectedApdu(wire);
    assert.equal(parsed.form, form);
    const opened = unprotectApdu(softwareCiphers, software, parsed, originator);
    assert.deepEqual([toHex(opened.plain), opened.tag, opened.counter], [toHex(getRequest), "verified", counter]);
  }
});

test("no changed octet of an APDU passes in any form, nor does its length or its title", () => {
  for (const suite of [0, 2] as const)
    for (const form of ["global", "dedicated", "general-global", "general-dedicated"] satisfies ProtectionForm[])
      for (const encrypted of [true, false]) {
        const control = securityControl({ suite, authenticated: true, encrypted });
        const wire = protectApdu(nodeCiphers, keysOf(form), { form, control, originator, counter }, getRequest);
        assert.equal(tagOrCode(wire), "verified");
        for (let at = 0; at < wire.length; at += 1)
          for (const bits of [0x01, 0x80, 0xff]) {
            const changed = Uint8Array.from(wire);
            changed[at]! ^= bits;
            assert.notEqual(tagOrCode(changed), "verified", `${form}, octet ${at}`);
          }
      }
});

/** What comes of an APDU: its tag's standing where the form is the one expected, or the code of its refusal. */
function tagOrCode(wire: Uint8Array): string {
  try {
    const parsed = parseProtectedApdu(wire);
    // Another form is another key: the dedicated one, or none.
    return unprotectApdu(nodeCiphers, keysOf(parsed.form), parsed, originator).tag;
  } catch (error) {
    if (error instanceof DlmsError) return error.code;
    throw error;
  }
}

test("a service-specific tag promises a service, and another one inside is refused", () => {
  const control = securityControl({ authenticated: true, encrypted: true });
  const wire = protectApdu(nodeCiphers, node, { form: "global", control, originator, counter }, getRequest);
  wire[0] = 0xcb;
  assert.throws(() => unprotectApdu(nodeCiphers, node, parseProtectedApdu(wire), originator), {
    code: "protection-mismatch",
  });
  const push = fromHex("0f000000010000");
  assert.throws(() => protectApdu(nodeCiphers, node, { form: "global", control, originator, counter }, push), {
    code: "protection-mismatch",
  });
});

test("a missing authentication key is named, unless the caller wants the text unverified", () => {
  const control = securityControl({ authenticated: true, encrypted: true });
  const content = protectContent(nodeCiphers, node, { control, originator, counter }, getRequest);
  const blind = { encryption: node.encryption };
  assert.throws(() => unprotectContent(nodeCiphers, blind, { originator }, content), { code: "key-missing" });
  const opened = unprotectContent(nodeCiphers, blind, { originator }, content, { unverified: true });
  assert.deepEqual([toHex(opened.plain), opened.tag], [toHex(getRequest), "unchecked"]);
});

test("a counter at its end, a compressed APDU and a control without protection are refused", () => {
  const protect = (parts: object, at: number): unknown =>
    protectContent(nodeCiphers, node, { control: securityControl(parts), originator, counter: at }, getRequest);
  assert.throws(() => protect({ authenticated: true }, 0xffffffff), { code: "out-of-range" });
  assert.throws(() => protect({ authenticated: true, compressed: true }, 1), { code: "compression-unsupported" });
  assert.throws(() => protect({}, 1), { code: "invalid-value" });
});
