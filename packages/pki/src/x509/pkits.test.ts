import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { DlmsError, encode, fromHex, toHex } from "@meterkeep/dlms";
import { PkiError } from "../errors.ts";
import { applyDelta, coversCertificate, issueCrl, openCrl } from "../revocation/crl.ts";
import { strangeList } from "../testing/strange-list.ts";
import { BEGIN, freshKey } from "../testing/test-tree.ts";
import { type Certificate, decodeCertificate, encodeCertificate, type ToBeSigned, toBeSigned } from "./certificate.ts";
import { EXTENSIONS, type Extension, type KeyUsage, makeExtension } from "./extensions.ts";
import { OID } from "./identifiers.ts";
import { keyIdentifier } from "./key-identifier.ts";
import { type Name, textAttribute } from "./name.ts";
import { validatePath } from "./path.ts";
import type { Signer } from "./signature.ts";

// The cases of NIST's Public Key Interoperability Test Suite (PKITS 1.0.1) that apply to certificates on EC keys, by their
// numbers and names; certificates and lists are our own, made as each case describes them. What does not apply, and why,
// stands at the end.

const NOW = new Date("2027-06-01T00:00:00Z");
const LATER = new Date("2028-01-01T00:00:00Z");
const END = new Date("2035-01-01T00:00:00Z");
const POINT = "http://lists.example/1.crl";

interface Entity {
  readonly certificate: Certificate;
  readonly signer: Signer;
}
type Change = Partial<ToBeSigned> & { readonly spoil?: boolean };

const pointTo = (value: string) =>
  makeExtension(EXTENSIONS.crlDistributionPoints, false, [
    { name: { fullName: [{ kind: "uniformResourceIdentifier", value }] } },
  ]);
const named = (text: string): Name => [textAttribute(OID.commonName, text)];
const usage = (bits: readonly KeyUsage[], critical = true) => makeExtension(EXTENSIONS.keyUsage, critical, bits);
const basic = (isAuthority: boolean, pathLength?: number, critical = true) =>
  makeExtension(EXTENSIONS.basicConstraints, critical, {
    isAuthority,
    ...(pathLength !== undefined && { pathLength }),
  });
const CA_USAGE = usage(["keyCertSign", "cRLSign"]);

function identifiers(own: Signer, above: Signer): Extension[] {
  const key = (signer: Signer) => keyIdentifier(signer.publicKey, "sha-1");
  return [
    makeExtension(EXTENSIONS.subjectKeyIdentifier, false, key(own)),
    makeExtension(EXTENSIONS.authorityKeyIdentifier, false, { keyIdentifier: key(above) }),
  ];
}

/** A certificate with any fields at all, signed by whoever is to have signed it. */
function certify(issuer: Entity | undefined, subject: string, own: readonly Extension[], change: Change = {}): Entity {
  const signer = freshKey("P-256");
  const above = issuer?.signer ?? signer;
  const { spoil = false, ...fields } = change;
  const octets = encode(toBeSigned, {
    version: "v3",
    serial: randomBytes(16).fill(0x11, 0, 1),
    signatureAlgorithm: "ecdsa-with-SHA256",
    issuer: issuer?.certificate.subject ?? named(subject),
    validity: { notBefore: BEGIN, notAfter: END },
    subject: named(subject),
    publicKey: signer.publicKey,
    extensions: [...identifiers(signer, above), ...own],
    ...fields,
  });
  const signature = Uint8Array.from(above.sign(octets));
  // The last octet of s: the structure stays, the signature does not hold.
  if (spoil) signature[signature.length - 1]! ^= 1;
  const whole = encodeCertificate(octets, { signatureAlgorithm: "ecdsa-with-SHA256", signature });
  return { signer, certificate: decodeCertificate(whole) };
}

const authority = (issuer: Entity | undefined, name: string, change: Change = {}, own = [basic(true), CA_USAGE]) =>
  certify(issuer, name, own, change);
const leaf = (issuer: Entity, change: Change = {}, own: readonly Extension[] = [usage(["digitalSignature"])]) =>
  certify(issuer, "End entity", own, change).certificate;

type Revoked = (certificate: Certificate, issuer: Certificate) => boolean;

const anchor = authority(undefined, "Trust anchor");
const good = authority(anchor, "Good CA");

/** What our paths say of a certificate below the anchor: `valid`, or the problem. */
function judge(certificate: Certificate, between: readonly Entity[], isRevoked?: Revoked): string {
  const verdict = validatePath(certificate, {
    anchors: [anchor.certificate],
    intermediates: between.map((one) => one.certificate),
    at: NOW,
    usage: "digitalSignature",
    ...(isRevoked && { isRevoked }),
  });
  return verdict.isTrusted ? "valid" : verdict.problem;
}

const times = { thisUpdate: BEGIN, nextUpdate: LATER } as const;
const serials = (...all: readonly Certificate[]) =>
  all.map(({ serial }) => ({ serial, revokedAt: BEGIN, reason: "keyCompromise" as const }));
const listOf = (issuer: Entity, ...all: readonly Certificate[]) =>
  issueCrl(issuer, { number: 1n, ...times }, serials(...all));

/** Judges revocation by lists: nobody is believed whose issuer has no list that is good now. */
function byLists(...lists: readonly (readonly [Entity, Uint8Array])[]): Revoked {
  return (certificate, issuer) => {
    const opened = lists.flatMap(([{ certificate: of }, octets]): (readonly string[])[] => {
      if (of !== issuer) return [];
      try {
        const list = openCrl(octets, issuer, NOW);
        if (!coversCertificate(list, certificate)) return [];
        return [[...list.revocations].map(({ serial }) => toHex(serial))];
      } catch (error) {
        if (error instanceof PkiError || error instanceof DlmsError) return [];
        throw error;
      }
    });
    return opened.length === 0 || opened.some((revoked) => revoked.includes(toHex(certificate.serial)));
  };
}

const anchorList: readonly [Entity, Uint8Array] = [anchor, listOf(anchor)];

/** Each case: PKITS's number and name, what comes out here, and how. */
const CASES: readonly (readonly [string, string, () => string])[] = [
  ["4.1.1 Valid Signatures Test1", "valid", () => judge(leaf(good), [good])],
  [
    "4.1.2 Invalid CA Signature Test2",
    "signature-invalid",
    () => {
      const bad = authority(anchor, "Bad Signed CA", { spoil: true });
      return judge(leaf(bad), [bad]);
    },
  ],
  ["4.1.3 Invalid EE Signature Test3", "signature-invalid", () => judge(leaf(good, { spoil: true }), [good])],
  [
    "4.2.1 Invalid CA notBefore Date Test1",
    "not-yet-valid",
    () => {
      const late = authority(anchor, "Bad notBefore Date CA", { validity: { notBefore: LATER, notAfter: END } });
      return judge(leaf(late), [late]);
    },
  ],
  [
    "4.2.2 Invalid EE notBefore Date Test2",
    "not-yet-valid",
    () => judge(leaf(good, { validity: { notBefore: LATER, notAfter: END } }), [good]),
  ],
  [
    "4.2.3 Valid pre2000 UTC notBefore Date Test3",
    "valid",
    () => judge(leaf(good, { validity: { notBefore: new Date("1950-01-01T12:01:00Z"), notAfter: END } }), [good]),
  ],
  [
    "4.2.4 Valid GeneralizedTime notBefore Date Test4 (and notAfter from 2050 on)",
    "valid",
    () => judge(leaf(good, { validity: { notBefore: BEGIN, notAfter: new Date("2050-01-01T12:01:00Z") } }), [good]),
  ],
  [
    "4.2.5 Invalid CA notAfter Date Test5",
    "expired",
    () => {
      const old = authority(anchor, "Bad notAfter Date CA", {
        validity: { notBefore: BEGIN, notAfter: new Date("2026-02-01T00:00:00Z") },
      });
      return judge(leaf(old), [old]);
    },
  ],
  [
    "4.2.6 Invalid EE notAfter Date Test6",
    "expired",
    () => judge(leaf(good, { validity: { notBefore: BEGIN, notAfter: new Date("2026-02-01T00:00:00Z") } }), [good]),
  ],
  [
    "4.2.7 Invalid pre2000 UTC EE notAfter Date Test7",
    "expired",
    () =>
      judge(
        leaf(good, {
          validity: { notBefore: new Date("1998-01-01T00:00:00Z"), notAfter: new Date("1999-01-01T12:01:00Z") },
        }),
        [good],
      ),
  ],
  [
    "4.2.8 Valid GeneralizedTime notAfter Date Test8",
    "valid",
    () => judge(leaf(good, { validity: { notBefore: BEGIN, notAfter: new Date("2059-12-31T23:59:59Z") } }), [good]),
  ],
  [
    "4.3.1 Invalid Name Chaining EE Test1",
    "no-path",
    () => judge(leaf(good, { issuer: named("Good CA Root") }), [good]),
  ],
  [
    "4.3.2 Invalid Name Chaining Order Test2",
    "no-path",
    () => {
      const fields = ["Organizational Unit Name 1", "Organizational Unit Name 2"].map((text) =>
        textAttribute(OID.organizationalUnitName, text),
      );
      const ordered = authority(anchor, "", { subject: [...fields, ...named("Ordering CA")] });
      return judge(leaf(ordered, { issuer: [...fields.toReversed(), ...named("Ordering CA")] }), [ordered]);
    },
  ],
  [
    "4.3.8 Valid RFC3280 Mandatory Attribute Types Test8",
    "valid",
    () => {
      const subject = [
        textAttribute(OID.countryName, "US"),
        textAttribute(OID.organizationName, "Test Certificates"),
        textAttribute(OID.organizationalUnitName, "CA"),
        textAttribute(OID.serialNumber, "345"),
        textAttribute("2.5.4.8", "Maryland"),
        textAttribute("0.9.2342.19200300.100.1.25", "gov"),
        ...named("Mandatory CA"),
      ];
      const mandatory = authority(anchor, "", { subject });
      return judge(leaf(mandatory), [mandatory]);
    },
  ],
  [
    "4.3.10 Valid UTF8String Encoded Names Test10",
    "valid",
    () => {
      const foreign = authority(anchor, "Zähler-Zertifizierungsstelle № 1");
      return judge(leaf(foreign), [foreign]);
    },
  ],
  ["4.4.1 Missing CRL Test1", "revoked", () => judge(leaf(good), [good], byLists(anchorList))],
  [
    "4.4.2 Invalid Revoked CA Test2",
    "revoked",
    () => {
      const end = leaf(good);
      return judge(end, [good], byLists([anchor, listOf(anchor, good.certificate)], [good, listOf(good)]));
    },
  ],
  [
    "4.4.3 Invalid Revoked EE Test3",
    "revoked",
    () => {
      const end = leaf(good);
      return judge(end, [good], byLists(anchorList, [good, listOf(good, end)]));
    },
  ],
  [
    "4.4.4 Invalid Bad CRL Signature Test4",
    "revoked",
    () => {
      const spoilt = listOf(good).slice();
      spoilt[spoilt.length - 1]! ^= 1;
      return judge(leaf(good), [good], byLists(anchorList, [good, spoilt]));
    },
  ],
  [
    "4.4.5 Invalid Bad CRL Issuer Name Test5",
    "revoked",
    () => {
      const renamed = { ...good, certificate: { ...good.certificate, subject: named("Incorrect CRL Issuer") } };
      return judge(leaf(good), [good], byLists(anchorList, [good, listOf(renamed)]));
    },
  ],
  [
    "4.4.6 Invalid Wrong CRL Test6",
    "revoked",
    () => judge(leaf(good), [good], byLists(anchorList, [good, anchorList[1]])),
  ],
  [
    "4.4.7 Valid Two CRLs Test7",
    "valid",
    () => judge(leaf(good), [good], byLists(anchorList, [good, anchorList[1]], [good, listOf(good)])),
  ],
  [
    "4.4.8 Invalid Unknown CRL Entry Extension Test8",
    "revoked",
    () => judge(leaf(good), [good], byLists(anchorList, [good, strangeList(good, "entry", leaf(good))])),
  ],
  [
    "4.4.9 Invalid Unknown CRL Extension Test9",
    "revoked",
    () => judge(leaf(good), [good], byLists(anchorList, [good, strangeList(good, "list", leaf(good))])),
  ],
  [
    "4.4.10 Invalid Unknown CRL Extension Test10 (for the very certificate)",
    "revoked",
    () => {
      const end = leaf(good);
      return judge(end, [good], byLists(anchorList, [good, strangeList(good, "list", end)]));
    },
  ],
  [
    "4.4.11 Invalid Old CRL nextUpdate Test11",
    "revoked",
    () => {
      const order = { number: 1n, thisUpdate: BEGIN, nextUpdate: new Date("2026-02-01T00:00:00Z") };
      return judge(leaf(good), [good], byLists(anchorList, [good, issueCrl(good, order, [])]));
    },
  ],
  [
    "4.4.12 Invalid pre2000 CRL nextUpdate Test12",
    "revoked",
    () => {
      const order = {
        number: 1n,
        thisUpdate: new Date("1998-01-01T00:00:00Z"),
        nextUpdate: new Date("1999-01-01T00:00:00Z"),
      };
      return judge(leaf(good), [good], byLists(anchorList, [good, issueCrl(good, order, [])]));
    },
  ],
  [
    "4.4.13 Valid GeneralizedTime CRL nextUpdate Test13",
    "valid",
    () => {
      const order = { number: 1n, thisUpdate: BEGIN, nextUpdate: new Date("2050-01-01T12:01:00Z") };
      return judge(leaf(good), [good], byLists(anchorList, [good, issueCrl(good, order, [])]));
    },
  ],
  [
    "4.4.16 Valid Long Serial Number Test16",
    "valid",
    () => {
      const [own, other] = [0x7a, 0x7b].map((at) => leaf(good, { serial: new Uint8Array(20).fill(at) }));
      return judge(own!, [good], byLists(anchorList, [good, listOf(good, other!)]));
    },
  ],
  [
    "4.4.18 Invalid Long Serial Number Test18",
    "revoked",
    () => {
      const end = leaf(good, { serial: new Uint8Array(20).fill(0x7a) });
      return judge(end, [good], byLists(anchorList, [good, listOf(good, end)]));
    },
  ],
  [
    "4.5.1 Valid Basic Self-Issued Old With New Test1",
    "valid",
    () => {
      const [former, rolled] = [authority(anchor, "Rolling CA"), authority(anchor, "Rolling CA")];
      const oldWithNew = certify(rolled, "Rolling CA", [basic(true), CA_USAGE], {
        publicKey: former.signer.publicKey,
        extensions: [...identifiers(former.signer, rolled.signer), basic(true), CA_USAGE],
      });
      return judge(leaf(former), [rolled, { ...oldWithNew, signer: former.signer }]);
    },
  ],
  [
    "4.5.3 Valid Basic Self-Issued New With Old Test3",
    "valid",
    () => {
      const former = authority(anchor, "Rolling CA");
      const newWithOld = certify(former, "Rolling CA", [basic(true), CA_USAGE]);
      return judge(leaf(newWithOld), [former, newWithOld]);
    },
  ],
  [
    "4.6.1 Invalid Missing basicConstraints Test1",
    "not-an-authority",
    () => {
      const missing = authority(anchor, "Missing basicConstraints CA", {}, [CA_USAGE]);
      return judge(leaf(missing), [missing]);
    },
  ],
  ...(["4.6.2 Invalid cA False Test2", "4.6.3 Invalid cA False Test3"] as const).map(
    (name, at) =>
      [
        name,
        "not-an-authority",
        () => {
          const no = authority(anchor, "basicConstraints cA False CA", {}, [
            basic(false, undefined, at === 0),
            CA_USAGE,
          ]);
          return judge(leaf(no), [no]);
        },
      ] as const,
  ),
  [
    "4.6.4 Valid basicConstraints Not Critical Test4",
    "valid",
    () => {
      const weak = authority(anchor, "basicConstraints Not Critical CA", {}, [basic(true, undefined, false), CA_USAGE]);
      return judge(leaf(weak), [weak]);
    },
  ],
  ["4.6.5 Invalid pathLenConstraint Test5", "too-long", () => depths([0, undefined])],
  ["4.6.7 Valid pathLenConstraint Test7", "valid", () => depths([0])],
  ["4.6.9 Invalid pathLenConstraint Test9", "too-long", () => depths([6, 0, 0])],
  ["4.6.11 Invalid pathLenConstraint Test11", "too-long", () => depths([6, 1, 1, 0])],
  ["4.6.13 Valid pathLenConstraint Test13", "valid", () => depths([6, 4, 1, 0])],
  [
    "4.7.1 Invalid keyUsage Critical keyCertSign False Test1",
    "usage-not-allowed",
    () => {
      const no = authority(anchor, "keyUsage Critical keyCertSign False CA", {}, [basic(true), usage(["cRLSign"])]);
      return judge(leaf(no), [no]);
    },
  ],
  [
    "4.7.2 Invalid keyUsage Not Critical keyCertSign False Test2",
    "usage-not-allowed",
    () => {
      const no = authority(anchor, "keyUsage Not Critical CA", {}, [basic(true), usage(["cRLSign"], false)]);
      return judge(leaf(no), [no]);
    },
  ],
  [
    "4.7.3 Valid keyUsage Not Critical Test3",
    "valid",
    () => {
      const weak = authority(anchor, "keyUsage Not Critical CA", {}, [
        basic(true),
        usage(["keyCertSign", "cRLSign"], false),
      ]);
      return judge(leaf(weak), [weak]);
    },
  ],
  ...(
    [
      "4.7.4 Invalid keyUsage Critical cRLSign False Test4",
      "4.7.5 Invalid keyUsage Not Critical cRLSign False Test5",
    ] as const
  ).map(
    (name, at) =>
      [
        name,
        "revoked",
        () => {
          const no = authority(anchor, "cRLSign False CA", {}, [basic(true), usage(["keyCertSign"], at === 0)]);
          const forged = listOf({ ...no, certificate: { ...no.certificate, extensions: good.certificate.extensions } });
          return judge(leaf(no), [no], byLists(anchorList, [no, forged]));
        },
      ] as const,
  ),
  [
    "4.8.1 All Certificates Same Policy Test1",
    "valid",
    () => {
      const policy = makeExtension(EXTENSIONS.certificatePolicies, false, [{ id: "2.16.840.1.101.3.2.1.48.1" }]);
      const own = authority(anchor, "Policy CA", {}, [basic(true), CA_USAGE, policy]);
      return judge(leaf(own, {}, [usage(["digitalSignature"]), policy]), [own]);
    },
  ],
  [
    "4.9.3 Invalid requireExplicitPolicy Test3 (any policyConstraints is refused: it is critical, and not understood)",
    "critical-extension-unknown",
    () => constrained({ id: "2.5.29.36", critical: true, value: fromHex("3003800100") }),
  ],
  [
    "4.10.7 Invalid Mapping From anyPolicy Test7 (any critical policyMappings is refused)",
    "critical-extension-unknown",
    () => constrained({ id: "2.5.29.33", critical: true, value: fromHex("3000") }),
  ],
  [
    "4.12.1 Invalid inhibitAnyPolicy Test1 (any inhibitAnyPolicy is refused)",
    "critical-extension-unknown",
    () => constrained({ id: "2.5.29.54", critical: true, value: fromHex("020100") }),
  ],
  [
    "4.13.2 Invalid DN nameConstraints Test2 (any nameConstraints is refused: the table of assignments does their work)",
    "critical-extension-unknown",
    () => constrained({ id: "2.5.29.30", critical: true, value: fromHex("3000") }),
  ],
  [
    "4.14.1 Valid distributionPoint Test1",
    "valid",
    () => {
      const end = leaf(good, {}, [usage(["digitalSignature"]), pointTo(POINT)]);
      const list = issueCrl(good, { number: 1n, ...times, shard: POINT }, []);
      return judge(end, [good], byLists(anchorList, [good, list]));
    },
  ],
  [
    "4.14.2 Invalid distributionPoint Test2",
    "revoked",
    () => {
      const end = leaf(good, {}, [usage(["digitalSignature"]), pointTo(POINT)]);
      const list = issueCrl(good, { number: 1n, ...times, shard: POINT }, serials(end));
      return judge(end, [good], byLists(anchorList, [good, list]));
    },
  ],
  [
    "4.14.3 Invalid distributionPoint Test3",
    "revoked",
    () => {
      // A list of another shard does not name it, and says nothing of it: its status is not known.
      const end = leaf(good, {}, [usage(["digitalSignature"]), pointTo(POINT)]);
      const other = issueCrl(good, { number: 1n, ...times, shard: `${POINT}x` }, []);
      return judge(end, [good], byLists(anchorList, [good, other]));
    },
  ],
  [
    "4.15.1 Invalid deltaCRLIndicator No Base Test1",
    "crl-refused",
    () => {
      const full = openCrl(listOf(good), good.certificate, NOW);
      const order = { number: 5n, since: 3n, ...times };
      return refusalOf(() => applyDelta(full, openCrl(issueCrl(good, order, []), good.certificate, NOW)));
    },
  ],
  ["4.15.2 Valid delta-CRL Test2", "valid", () => afterDelta("none")],
  ["4.15.3 Invalid delta-CRL Test3", "revoked", () => afterDelta("revoked")],
  ["4.15.5 Valid delta-CRL Test5 (removeFromCRL)", "valid", () => afterDelta("removed")],
  [
    "4.16.1 Valid Unknown Not Critical Certificate Extension Test1",
    "valid",
    () => judge(leaf(good, {}, [usage(["digitalSignature"]), unknown(false)]), [good]),
  ],
  [
    "4.16.2 Invalid Unknown Critical Certificate Extension Test2",
    "critical-extension-unknown",
    () => judge(leaf(good, {}, [usage(["digitalSignature"]), unknown(true)]), [good]),
  ],
];

const unknown = (critical: boolean): Extension => ({
  id: "2.16.840.1.101.2.1.12.2",
  critical,
  value: Uint8Array.of(0x05, 0),
});

/** A path through authorities that each allow so many below. */
function depths(allowed: readonly (number | undefined)[]): string {
  const line: Entity[] = [];
  for (const [at, depth] of allowed.entries())
    line.push(authority(line.at(-1) ?? anchor, `Depth ${at}`, {}, [basic(true, depth), CA_USAGE]));
  return judge(leaf(line.at(-1)!), line);
}

function constrained(extension: Extension): string {
  const own = authority(anchor, "Constrained CA", {}, [basic(true), CA_USAGE, extension]);
  return judge(leaf(own), [own]);
}

/** A certificate after a delta that says nothing of it, revokes it, or takes it off the full list. */
function afterDelta(kind: "none" | "revoked" | "removed"): string {
  const end = leaf(good);
  const full = openCrl(listOf(good, ...(kind === "removed" ? [end] : [])), good.certificate, NOW);
  const reason = kind === "removed" ? ("removeFromCRL" as const) : ("keyCompromise" as const);
  const news = kind === "none" ? [] : [{ serial: end.serial, revokedAt: BEGIN, reason }];
  const delta = openCrl(issueCrl(good, { number: 2n, since: 1n, ...times }, news), good.certificate, NOW);
  const { revocations } = applyDelta(full, delta);
  const wanted = toHex(end.serial);
  return judge(end, [good], (one) => one === end && [...revocations].some(({ serial }) => toHex(serial) === wanted));
}

function refusalOf(work: () => unknown): string {
  try {
    work();
    return "valid";
  } catch (error) {
    if (error instanceof PkiError) return error.code;
    throw error;
  }
}

/** Why the rest of the suite does not apply. */
const NOT_APPLICABLE = {
  "4.1.4 to 4.1.6": "DSA: keys of metering are on P-256 and P-384",
  "4.3.3 to 4.3.7, 4.3.11": "names are compared octet for octet, as GBCS and DLMS meters do: these are refused",
  "4.3.9": "postal attributes: text like any other, covered by 4.3.8",
  "4.4.14, 4.4.15": "negative serial numbers are no certificates here (RFC 5280 4.1.2.2)",
  "4.4.19 to 4.4.21, 4.5.6 to 4.5.8, 4.14.22 to 4.14.35": "lists are signed by the key that issued (no indirect lists)",
  "4.6.15 to 4.6.17": "self-issued certificates count in the path length here: stricter, and nobody has them",
  "4.8.2 to 4.12.10":
    "any policy is as good as any other; what constrains policies is refused by 4.9.3, 4.10.7, 4.12.1",
  "4.13.1 to 4.13.38": "name constraints are refused by 4.13.2",
  "4.14.4 to 4.14.21": "one address a shard, no reasons, no kinds of certificates in a distribution point",
} as const;

describe("PKITS", () => {
  for (const [name, expected, run] of CASES)
    test(`${name}: ${expected}`, () => {
      assert.equal(run(), expected);
    });

  test("every section of the suite is tried, or it is said why not", () => {
    const sections = new Set(CASES.map(([name]) => name.split(".")[1]));
    assert.deepEqual(
      [...sections].map(Number).sort((one, other) => one - other),
      // 4.11 is inhibitPolicyMapping: with all of policy processing, under 4.8.2 to 4.12.10.
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16],
    );
    assert.equal(Object.keys(NOT_APPLICABLE).length, 9);
  });

  test("names that differ in case or spaces are other names, since meters compare octets", () => {
    for (const text of ["good ca", "Good  CA", " Good CA"])
      assert.equal(judge(leaf(good, { issuer: named(text) }), [good]), "no-path");
  });

  test("an extension that stands there twice is refused: which of the two counts would be anybody's guess", () => {
    const twice = [usage(["digitalSignature"]), usage(["digitalSignature"])];
    assert.equal(judge(leaf(good, {}, twice), [good]), "extension-twice");
  });
});
