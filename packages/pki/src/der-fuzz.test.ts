import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Codec, DecodeError, DlmsError, decode, encode } from "@meterkeep/dlms";
import fc from "fast-check";
import { openAssignments, signAssignments } from "./assignment/table.ts";
import { decodeCertsOnly, encodeCertsOnly } from "./enrolment/cms.ts";
import { askedAttributes, csrAttributesFor } from "./enrolment/csr-attributes.ts";
import { PkiError } from "./errors.ts";
import { issueCrl, openCrl } from "./revocation/crl.ts";
import { askedSerial, issueOcspResponse, makeOcspRequest, openOcspResponse } from "./revocation/ocsp.ts";
import { BEGIN, freshKey, issueDevice, makeTree, SYSTEM_TITLE } from "./testing/test-tree.ts";
import { type Certificate, decodeCertificate } from "./x509/certificate.ts";
import { EXTENSIONS } from "./x509/extensions.ts";
import { validatePath } from "./x509/path.ts";
import { publicKey } from "./x509/public-key.ts";
import { makeRequest, openRequest } from "./x509/request.ts";
import { importPublicKey } from "./x509/signature.ts";

const AT = new Date("2026-06-01T00:00:00Z");
const NEXT = new Date("2026-12-01T00:00:00Z");

const tree = makeTree();
const TABLE = await signAssignments(tree.scheme.signer, {
  number: 1,
  issuedAt: BEGIN,
  rows: [{ authority: new Uint8Array(20), name: "us", ranges: [{ first: new Uint8Array(8), last: SYSTEM_TITLE }] }],
});

// Every DER that comes from outside: what each is, and who reads it. Octets are changed, cut, doubled and moved.
describe("changed octets of every DER input", () => {
  const { root, scheme, utility, issuing } = tree;
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
      issueCrl(
        issuing,
        { number: 7n, thisUpdate: AT, nextUpdate: NEXT, shard: "http://x/1", freshest: "http://x/1-delta" },
        revocations,
      ),
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
    ["a table of assignments", TABLE, (octets) => openAssignments(octets, scheme.certificate), true],
    [
      "a public key",
      encode(publicKey, device.publicKey),
      (octets) => importPublicKey(decode(publicKey, octets)),
      false,
    ],
    [
      "a certificate at the end of a path",
      device.octets,
      (octets) => {
        const verdict = validatePath(decodeCertificate(octets), {
          anchors: [root.certificate],
          intermediates: [scheme.certificate, utility.certificate, issuer],
          at: AT,
          usage: "digitalSignature",
        });
        if (!verdict.isTrusted) throw new PkiError("certificate-inconsistent", verdict.problem);
        return verdict;
      },
      true,
    ],
    ...extensionsOf(device, issuer, issueDevice(issuing, "gbcs-device-signature"), tlsCertificate()),
  ];

  function tlsCertificate(): Certificate {
    const names = [{ kind: "dNSName", value: "a.example" }] as const;
    const order = { subject: { names: { CN: "a" } }, hosts: names, distributionPoints: ["http://x/1"] } as const;
    return issueDevice(issuing, "tls-server", order);
  }

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
        { numRuns: 1000 },
      );
    });
});

/** The value of every extension that these have and that is understood. */
function extensionsOf(...all: readonly Certificate[]) {
  return Object.entries(EXTENSIONS).flatMap(([name, { id, codec }]) => {
    const found = all.flatMap(({ extensions }) => extensions).find((one) => one.id === id);
    const read = (octets: Uint8Array): unknown => decode(codec as Codec<unknown>, octets);
    return found === undefined ? [] : [[`the value of ${name}`, found.value, read, false] as const];
  });
}

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
