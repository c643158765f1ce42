import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import type { Approval } from "@meterkeep/guard";
import { encode } from "cborg";
import fc from "fast-check";
import type { Approver } from "../document.ts";
import { readRegistration, verifyAssertion } from "./passkey.ts";
import { challengeOf, statementOctets, verifyApproval } from "./proof.ts";

const PARTY = { id: "localhost", origins: ["http://localhost:8421"] };
const STATEMENT = {
  format: "meterkeep-approval-1",
  decision: "approve",
  hash: "ab".repeat(48),
  approver: "anna",
  at: 1_795_000_000_000,
} as const;

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");
const clientDataOf = (type: string, challenge: Uint8Array): Buffer =>
  Buffer.from(
    JSON.stringify({ type, challenge: Buffer.from(challenge).toString("base64url"), origin: PARTY.origins[0] }),
  );
const headOf = (flags: number, count: number): Buffer => {
  const head = Buffer.alloc(37);
  createHash("sha256").update(PARTY.id).digest().copy(head);
  head[32] = flags;
  head.writeUInt32BE(count, 33);
  return head;
};

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const { x = "", y = "" } = publicKey.export({ format: "jwk" });

/** A passkey's registration and its assertion over the statement, as a browser gives them. */
function made() {
  const challenge = challengeOf(STATEMENT);
  const cose = new Map<number, unknown>([
    [1, 2],
    [3, -7],
    [-1, 1],
    [-2, Buffer.from(x, "base64url")],
    [-3, Buffer.from(y, "base64url")],
  ]);
  const id = Buffer.alloc(32, 5);
  const length = Buffer.from([0, id.length]);
  const authData = Buffer.concat([headOf(0x45, 0), Buffer.alloc(16), length, id, encode(cose)]);
  const attestation = new Map<string, unknown>([
    ["fmt", "none"],
    ["attStmt", new Map()],
    ["authData", authData],
  ]);
  const registration = {
    attestationObject: encode(attestation),
    clientData: clientDataOf("webauthn.create", challenge),
  };
  const [authenticatorData, clientData] = [headOf(0x05, 1), clientDataOf("webauthn.get", challenge)];
  const signed = Buffer.concat([authenticatorData, createHash("sha256").update(clientData).digest()]);
  return {
    challenge,
    registration,
    assertion: { authenticatorData, clientData, signature: sign("sha256", signed, privateKey) },
  };
}

/** Octets with some of them changed, cut off or added; never the same ones. */
const spoiling = (octets: Uint8Array): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(
      fc.array(fc.tuple(fc.nat(octets.length - 1), fc.integer({ min: 0, max: 255 })), { maxLength: 3 }),
      fc.nat(octets.length),
      fc.uint8Array({ maxLength: 4 }),
    )
    .map(([changes, end, tail]) => {
      const spoilt = Uint8Array.of(...octets.subarray(0, end), ...tail);
      for (const [at, value] of changes) if (at < spoilt.length) spoilt[at] = value;
      return spoilt;
    })
    .filter((spoilt) => !Buffer.from(spoilt).equals(octets));

test("whatever is changed in what an authenticator signed, it proves nothing, and nothing is thrown", () => {
  const { challenge, registration, assertion } = made();
  const passkey = readRegistration(PARTY, challenge, registration);
  assert.ok(passkey);
  assert.deepEqual(verifyAssertion(PARTY, passkey, challenge, assertion), { signCount: 1 });
  for (const part of ["authenticatorData", "clientData", "signature"] as const)
    fc.assert(
      fc.property(spoiling(assertion[part]), (octets) => {
        assert.equal(verifyAssertion(PARTY, passkey, challenge, { ...assertion, [part]: octets }), undefined);
      }),
      { numRuns: 300 },
    );
});

test("whatever comes as a new passkey gives a key on the right curve, or none, and nothing is thrown", () => {
  const { challenge, registration } = made();
  for (const part of ["attestationObject", "clientData"] as const)
    fc.assert(
      fc.property(fc.oneof(spoiling(registration[part]), fc.uint8Array({ maxLength: 80 })), (octets) => {
        const read = readRegistration(PARTY, challenge, { ...registration, [part]: octets });
        if (read !== undefined) assert.equal(read.publicKey.length, 91, "SPKI of P-256");
      }),
      { numRuns: 600 },
    );
});

test("an approval by a user key counts for just its statement and its approver, whatever comes as its signature", () => {
  const key = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const approver: Approver = {
    id: "anna",
    name: "Anna",
    roles: ["operations"],
    enrolledAt: 0,
    suspended: undefined,
    key: { kind: "signature", publicKey: hex(key.publicKey.export({ format: "der", type: "spki" })) },
  };
  const signature = sign("sha384", statementOctets(STATEMENT), { key: key.privateKey, dsaEncoding: "ieee-p1363" });
  const verified = (change: Partial<Approval["statement"]>, octets: Uint8Array = signature, whose = approver) => {
    const proof = { kind: "signature", signature: hex(octets) } as const;
    return verifyApproval(PARTY, whose, { statement: { ...STATEMENT, ...change }, proof }, true) !== undefined;
  };
  assert.ok(verified({}));
  assert.ok(!verified({}, signature, { ...approver, id: "ben" }));
  for (const change of [{ decision: "freeze" }, { hash: "ac".repeat(48) }, { approver: "ben" }, { at: 1 }] as const)
    assert.ok(!verified(change), JSON.stringify(change));
  fc.assert(
    fc.property(spoiling(signature), (octets) => assert.ok(!verified({}, octets))),
    { numRuns: 300 },
  );
});
