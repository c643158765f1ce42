import { fromHex } from "@meterkeep/dlms";
import { EXTENSIONS, type Extension, makeExtension } from "../../x509/extensions.ts";
import { OID } from "../../x509/identifiers.ts";
import { textAttribute } from "../../x509/name.ts";
import { BEGIN } from "../test-tree.ts";
import {
  anchor,
  anchorList,
  authority,
  basic,
  CA_USAGE,
  certify,
  END,
  type Entity,
  good,
  identifiers,
  judge,
  LATER,
  leaf,
  listOf,
  named,
  type PkitsCase,
  usage,
} from "./parts.ts";

/** Cases about paths alone: sections 4.1 to 4.3, 4.5 to 4.13 and 4.16 of PKITS. */
export const PATH_CASES: readonly PkitsCase[] = [
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
    "4.2.4 Valid GeneralizedTime notBefore Date Test4",
    "valid",
    () => {
      // What RFC 5280 wants as UTCTime until 2049, in the other form.
      const validity = { notBefore: new Date("2050-01-01T00:00:00Z"), notAfter: new Date("2051-01-01T00:00:00Z") };
      const patch = (octets: Uint8Array) => replaced(octets, "20500101000000Z", "20260101000000Z");
      return judge(leaf(good, { validity, patch }), [good]);
    },
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
    "4.3.7 Valid RFC3280 Mandatory Attribute Types Test7",
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
    "4.3.8 Valid RFC3280 Optional Attribute Types Test8",
    "valid",
    () => {
      const types = ["2.5.4.7", "2.5.4.12", "2.5.4.4", "2.5.4.42", "2.5.4.43", "2.5.4.65", "2.5.4.44", "2.5.4.46"];
      const subject = [...types.map((type) => textAttribute(type, "some text")), ...named("Optional CA")];
      const optional = authority(anchor, "", { subject });
      return judge(leaf(optional), [optional]);
    },
  ],
  [
    "4.3.9 Valid UTF8String Encoded Names Test9",
    "valid",
    () => {
      const foreign = authority(anchor, "Zähler-Zertifizierungsstelle № 1");
      return judge(leaf(foreign), [foreign]);
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
    "4.5.2 Invalid Basic Self-Issued Old With New Test2",
    "revoked",
    () => {
      const [former, rolled] = [authority(anchor, "Rolling CA"), authority(anchor, "Rolling CA")];
      const end = leaf(former);
      return judge(end, [former], [anchorList, listOf(rolled), listOf(former, end)]);
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
    "4.5.5 Invalid Basic Self-Issued New With Old Test5 (the list of another key says nothing here)",
    "revocation-unknown",
    () => {
      const former = authority(anchor, "Rolling CA");
      const newWithOld = certify(former, "Rolling CA", [basic(true), CA_USAGE]);
      const end = leaf(former);
      return judge(end, [former, newWithOld], [anchorList, listOf(newWithOld, end)]);
    },
  ],
  [
    "4.5.7 Invalid Basic Self-Issued CRL Signing Key Test7 (likewise)",
    "revocation-unknown",
    () => {
      const own = authority(anchor, "Lists apart CA");
      const forLists = certify(own, "Lists apart CA", [usage(["cRLSign"])]);
      const end = leaf(own);
      return judge(end, [own, forLists], [anchorList, listOf(forLists, end)]);
    },
  ],
  [
    "4.5.8 Invalid Basic Self-Issued CRL Signing Key Test8",
    "not-an-authority",
    () => {
      const own = authority(anchor, "Lists apart CA");
      const forLists = certify(own, "Lists apart CA", [usage(["cRLSign"])]);
      return judge(leaf(forLists), [own, forLists]);
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
  ["4.6.6 Invalid pathLenConstraint Test6", "too-long", () => depths([0, undefined], true)],
  ["4.6.7 Valid pathLenConstraint Test7", "valid", () => depths([0])],
  ["4.6.8 Valid pathLenConstraint Test8", "valid", () => depths([0], true)],
  ["4.6.9 Invalid pathLenConstraint Test9", "too-long", () => depths([6, 0, 0])],
  ["4.6.10 Invalid pathLenConstraint Test10", "too-long", () => depths([6, 0, 0], true)],
  ["4.6.11 Invalid pathLenConstraint Test11", "too-long", () => depths([6, 1, 1, 0])],
  ["4.6.12 Invalid pathLenConstraint Test12", "too-long", () => depths([6, 1, 1, 0], true)],
  ["4.6.13 Valid pathLenConstraint Test13", "valid", () => depths([6, 4, 1, 0])],
  ["4.6.14 Valid pathLenConstraint Test14", "valid", () => depths([6, 4, 1, 0], true)],
  [
    "4.6.16 Invalid Self-Issued pathLenConstraint Test16",
    "too-long",
    () => {
      const own = authority(anchor, "Depth CA", {}, [basic(true, 0), CA_USAGE]);
      const again = certify(own, "Depth CA", [basic(true), CA_USAGE]);
      const below = authority(again, "Below CA");
      return judge(leaf(below), [own, again, below]);
    },
  ],
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
        "revocation-unknown",
        () => {
          const no = authority(anchor, "cRLSign False CA", {}, [basic(true), usage(["keyCertSign"], at === 0)]);
          const forged = listOf({ ...no, certificate: { ...no.certificate, extensions: good.certificate.extensions } });
          return judge(leaf(no), [no], [anchorList, forged]);
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

/** A path through authorities that each allow so many below; its end may be an authority as well. */
function depths(allowed: readonly (number | undefined)[], isEndAuthority = false): string {
  const line: Entity[] = [];
  for (const [at, depth] of allowed.entries())
    line.push(authority(line.at(-1) ?? anchor, `Depth ${at}`, {}, [basic(true, depth), CA_USAGE]));
  const own = [basic(true), usage(["digitalSignature", "keyCertSign", "cRLSign"])];
  return judge(isEndAuthority ? leaf(line.at(-1)!, {}, own) : leaf(line.at(-1)!), line);
}

/** Octets with one text in the place of another of the same length. */
function replaced(octets: Uint8Array, from: string, to: string): Uint8Array {
  const at = Buffer.from(octets).indexOf(from);
  if (at < 0) throw new RangeError(`${from} is not there`);
  const changed = Uint8Array.from(octets);
  changed.set(Buffer.from(to), at);
  return changed;
}

function constrained(extension: Extension): string {
  const own = authority(anchor, "Constrained CA", {}, [basic(true), CA_USAGE, extension]);
  return judge(leaf(own), [own]);
}
