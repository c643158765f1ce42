import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DecodeError, DlmsError } from "@meterkeep/dlms";
import fc from "fast-check";
import { decodeCertsOnly, encodeCertsOnly } from "./enrolment/cms.ts";
import { askedAttributes, csrAttributesFor } from "./enrolment/csr-attributes.ts";
import { PkiError } from "./errors.ts";
import { issueCrl, openCrl } from "./revocation/crl.ts";
import { askedSerial, issueOcspResponse, makeOcspRequest, openOcspResponse } from "./revocation/ocsp.ts";
import { BEGIN, freshKey, issueDevice, makeTree } from "./testing/test-tree.ts";
import { decodeCertificate } from "./x509/certificate.ts";
import { makeRequest, openRequest } from "./x509/request.ts";

const AT = new Date("2026-06-01T00:00:00Z");
const NEXT = new Date("2026-12-01T00:00:00Z");

// Every DER that comes from outside: what each is, and who reads it. Octets are changed, cut, doubled and moved.
describe("changed octets of every DER input", () => {
  const { issuing } = makeTree();
  const device = issueDevice(issuing, "dlms-suite-1-signature");
  const issuer = issuing.certificate;
  const revocations = [1, 2, 3].map((at) => ({
    serial: Uint8Array.of(at, 1),
    revokedAt: BEGIN,
    reason: "superseded" as const,
  }));
  const answer = { serial: device.serial, status: { kind: "good" }, thisUpdate: AT, nextUpdate: NEXT } as const;
  const inputs: readonly (readonly [string, Uint8Array, (octets: Uint8Array) => unknown, boolean])[] = [
    ["a certificate", device.octets, decodeCertificate, false],
    ["a request", makeRequest(freshKey("P-256"), []), openRequest, true],
    [
      "a revocation list",
      issueCrl(issuing, { number: 7n, thisUpdate: AT, nextUpdate: NEXT, shard: "http://x/1" }, revocations),
      (octets) => [...openCrl(octets, issuer).revocations],
      true,
    ],
    [
      "a question about a certificate",
      makeOcspRequest(issuer, device.serial),
      (octets) => askedSerial(octets, issuer),
      false,
    ],
    [
      "an answer about a certificate",
      issueOcspResponse(issuer, issuing, answer),
      (octets) => openOcspResponse(octets, { issuer, serial: device.serial, at: AT }),
      true,
    ],
    ["certificates in CMS", encodeCertsOnly([device.octets, issuer.octets]), decodeCertsOnly, false],
    ["attributes of requests", csrAttributesFor("P-256"), askedAttributes, false],
  ];

  const change = fc.oneof(
    fc.record({ kind: fc.constant("flip" as const), at: fc.nat(), by: fc.integer({ min: 1, max: 255 }) }),
    fc.record({ kind: fc.constant("cut" as const), at: fc.nat(), by: fc.nat(40) }),
    fc.record({ kind: fc.constant("double" as const), at: fc.nat(), by: fc.nat(40) }),
    fc.record({ kind: fc.constant("length" as const), at: fc.nat(), by: fc.constantFrom(0x80, 0x81, 0x84, 0xff, 0) }),
  );

  for (const [name, octets, read, isSigned] of inputs)
    test(`${name} reads, or is refused by its own error, and what is signed never reads as something else`, () => {
      assert.ok(read(octets) !== null);
      fc.assert(
        fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
          const changed = changes.reduce(applied, octets);
          if (Buffer.compare(changed, octets) === 0) return;
          try {
            read(changed);
          } catch (error) {
            const isOurs = error instanceof DecodeError || error instanceof DlmsError || error instanceof PkiError;
            assert.ok(isOurs, String((error as Error).stack));
            return;
          }
          assert.ok(!isSigned, "a signature held over other octets");
        }),
        { numRuns: 1500 },
      );
    });
});

function applied(octets: Uint8Array, { kind, at, by }: { kind: string; at: number; by: number }): Uint8Array {
  if (octets.length === 0) return octets;
  const place = at % octets.length;
  if (kind === "flip" || kind === "length") {
    const changed = octets.slice();
    changed[place] = kind === "flip" ? changed[place]! ^ by : by;
    return changed;
  }
  const span = octets.subarray(place, place + by);
  const rest = kind === "cut" ? [] : [span, span];
  return new Uint8Array(Buffer.concat([octets.subarray(0, place), ...rest, octets.subarray(place + by)]));
}
