import assert from "node:assert/strict";
import { test } from "node:test";
import { DecodeError, systemTitle } from "@meterkeep/dlms";
import fc from "fast-check";
import { readCanonical, writeCanonical } from "../canonical/canonical-json.ts";
import { type Field, Wrong } from "../canonical/field.ts";
import { changeRequest } from "../change/change-request.ts";
import { manifestHeader } from "../manifest/header.ts";
import { type CommandToken, readToken, signedPartOf, writeToken } from "../token/command-token.ts";
import { approval } from "./statement.ts";

const HASH = "ab".repeat(48);
const AT = 1_795_000_000_000;
const statement = {
  format: "meterkeep-approval-1",
  decision: "approve",
  hash: HASH,
  approver: "anna",
  at: AT,
} as const;

/** Each document that people sign or that is signed for them, in its canonical form. */
const DOCUMENTS: Readonly<Record<string, readonly [field: Field<unknown>, written: string]>> = {
  "an approval by a user key": [
    approval,
    writeCanonical(approval, { statement, proof: { kind: "signature", signature: "11".repeat(96) } }),
  ],
  "an approval by passkey": [
    approval,
    writeCanonical(approval, {
      statement,
      proof: { kind: "passkey", authenticatorData: "22".repeat(37), clientData: "7b7d", signature: "33".repeat(70) },
    }),
  ],
  "a change": [
    changeRequest,
    writeCanonical(changeRequest, {
      format: "meterkeep-change-1",
      kind: "break-glass",
      body: { minutes: 30, reason: "the substation burns" },
      requester: "Rita",
      reason: "a test",
      createdAt: AT,
      expiresAt: AT + 86_400_000,
      nonce: "01".repeat(16),
    }),
  ],
  "a manifest's header": [
    manifestHeader,
    writeCanonical(manifestHeader, {
      format: "meterkeep-manifest-1",
      utility: "stadtwerke",
      island: "mainland",
      operation: { kind: "disconnect", instance: "000060030aff" },
      targets: 3,
      loadAtRiskW: 1200,
      notBefore: AT,
      notAfter: AT + 3_600_000,
      requester: "Rita",
      reason: "RC1",
      workOrder: "WO-7",
      createdAt: AT,
      dispersion: { kind: "none" },
      waves: [{ targets: 3, soakSeconds: 0 }],
      doubted: 1,
      nonce: "01".repeat(16),
    }),
  ],
};

/** What somebody does to a text who wants it to be read otherwise than it was signed. */
const PIECES = ["{", "}", "[", "]", '"', ",", ":", "\\u0000", "__proto__", '"hash":"00"', "1e400", "-0", " ", "\ufeff"];

test("whatever is done to a document, it is read as something else that is canonical, or not at all, and nothing is thrown", () => {
  for (const [what, [field, written]] of Object.entries(DOCUMENTS)) {
    assert.ok(!(readCanonical(written, field) instanceof Wrong), what);
    const edit = fc.tuple(fc.nat(written.length), fc.nat(8), fc.oneof(fc.constantFrom(...PIECES), fc.string()));
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        let spoilt = written;
        for (const [at, cut, piece] of edits) spoilt = spoilt.slice(0, at) + piece + spoilt.slice(at + cut);
        const read = readCanonical(Buffer.from(spoilt), field);
        if (!(read instanceof Wrong)) assert.equal(writeCanonical(field, read), spoilt, what);
      }),
      { numRuns: 1500 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (octets) => {
        assert.ok(readCanonical(octets, field) instanceof Wrong);
      }),
    );
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        assert.ok(readCanonical(JSON.stringify(value), field) instanceof Wrong);
      }),
    );
  }
});

test("whatever octets come as a command token, they are refused by name, or say what their signature is over", () => {
  const token: CommandToken = {
    issuer: "policy",
    manifest: new Uint8Array(48).fill(7),
    meter: systemTitle(Uint8Array.of(0x54, 0x53, 0x54, 0, 0, 0, 0, 7)),
    act: 0,
    notBefore: AT,
    notAfter: AT + 60_000,
    nonce: new Uint8Array(16).fill(9),
  };
  const written = writeToken(token, new Uint8Array(96));
  const change = fc.tuple(fc.nat(written.length - 1), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 4 }),
      fc.uint8Array({ maxLength: 4 }),
      fc.nat(written.length),
      (changes, tail, end) => {
        const octets = Uint8Array.of(...written.subarray(0, end), ...tail);
        for (const [at, value] of changes) if (at < octets.length) octets[at] = value;
        try {
          const read = readToken(octets);
          // What is judged is what was signed: there are no other octets for the same claims.
          assert.deepEqual(signedPartOf(read.token), read.signed);
        } catch (error) {
          assert.ok(error instanceof DecodeError, String(error));
        }
      },
    ),
    { numRuns: 4000 },
  );
});
