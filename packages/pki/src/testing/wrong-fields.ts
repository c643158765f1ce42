import { encode } from "@meterkeep/dlms";
import {
  type Certificate,
  decodeCertificate,
  encodeCertificate,
  type ToBeSigned,
  toBeSigned,
} from "../x509/certificate.ts";
import { EXTENSIONS, type Extension, makeExtension } from "../x509/extensions.ts";
import { OID } from "../x509/identifiers.ts";
import { textAttribute } from "../x509/name.ts";
import type { Signer } from "../x509/signature.ts";
import { freshKey } from "./test-tree.ts";

interface Wrong {
  readonly name: string;
  readonly change: (good: ToBeSigned) => Partial<ToBeSigned>;
  /** Who of us finds it: our linter, our paths, or both. */
  readonly by: readonly ("linter" | "path")[];
  /** Whether OpenSSL's strict check refuses it as well; it knows nothing of meters. */
  readonly openssl: boolean;
}

/** What others than we refuse as well, by name: `@peculiar/x509` builds no chain to it, and a virtual meter does not import it. */
const PECULIAR: readonly string[] = [
  "it begins later",
  "the issuer is named otherwise",
  "the signature algorithm is of the other curve",
  "the issuer's key is identified otherwise",
];
const METER: readonly string[] = [
  "the subject is no system title",
  "the system title is in lower case",
  "the subject is empty",
  "the issuer is named otherwise",
  "the key is on the curve above its issuer's",
  "the signature algorithm is of the other curve",
  "keyUsage is missing",
  "keyUsage lets a meter sign certificates",
  "basicConstraints make an authority of a meter",
  "the issuer's key is identified otherwise",
  "an extension is critical that nobody knows",
  "an extension stands there twice",
];

/** A meter's certificate with one field wrong, signed by its issuer all the same, and who refuses it. */
export interface WrongCertificate extends Pick<Wrong, "name" | "by" | "openssl"> {
  readonly certificate: Certificate;
  readonly peculiar: boolean;
  readonly meter: boolean;
}

/** One certificate for each field that can be wrong. */
export function wrongFields(good: Certificate, signer: Signer): readonly WrongCertificate[] {
  return CASES.map(({ change, ...wrong }) => ({
    ...wrong,
    certificate: resigned(good, change(good), signer),
    peculiar: PECULIAR.includes(wrong.name),
    meter: METER.includes(wrong.name),
  }));
}

function resigned(good: Certificate, change: Partial<ToBeSigned>, signer: Signer): Certificate {
  const { version, serial, signatureAlgorithm, issuer, validity, subject, publicKey, extensions } = good;
  const fields = { version, serial, signatureAlgorithm, issuer, validity, subject, publicKey, extensions, ...change };
  const octets = encode(toBeSigned, fields);
  const signature = signer.sign(octets);
  return decodeCertificate(encodeCertificate(octets, { signatureAlgorithm: fields.signatureAlgorithm, signature }));
}

const without = (good: ToBeSigned, id: string): readonly Extension[] => good.extensions.filter((one) => one.id !== id);
const swapped = (good: ToBeSigned, extension: Extension): readonly Extension[] =>
  good.extensions.map((one) => (one.id === extension.id ? extension : one));

const CASES: readonly Wrong[] = [
  {
    name: "the subject is no system title",
    change: () => ({ subject: [textAttribute(OID.commonName, "Meter 7")] }),
    by: ["linter"],
    openssl: false,
  },
  {
    name: "the system title is in lower case",
    change: () => ({ subject: [textAttribute(OID.commonName, "4d4b303000000001")] }),
    by: ["linter"],
    openssl: false,
  },
  { name: "the subject is empty", change: () => ({ subject: [] }), by: ["linter"], openssl: true },
  {
    name: "it ends",
    change: ({ validity }) => ({ validity: { ...validity, notAfter: new Date("2049-01-01T00:00:00Z") } }),
    by: ["linter"],
    openssl: false,
  },
  {
    name: "it begins later",
    change: ({ validity }) => ({ validity: { ...validity, notBefore: new Date("2040-01-01T00:00:00Z") } }),
    by: ["path"],
    openssl: true,
  },
  {
    name: "the issuer is named otherwise",
    change: () => ({ issuer: [textAttribute(OID.commonName, "issuing-p257")] }),
    by: ["path"],
    openssl: true,
  },
  {
    name: "the key is on the curve above its issuer's",
    change: () => ({ publicKey: freshKey("P-384").publicKey }),
    by: ["linter", "path"],
    openssl: false,
  },
  {
    name: "the signature algorithm is of the other curve",
    change: () => ({ signatureAlgorithm: "ecdsa-with-SHA384" as const }),
    by: ["path"],
    openssl: true,
  },
  {
    name: "keyUsage is missing",
    change: (one) => ({ extensions: without(one, OID.keyUsage) }),
    by: ["linter", "path"],
    openssl: false,
  },
  {
    name: "keyUsage is not critical",
    change: (one) => ({ extensions: swapped(one, makeExtension(EXTENSIONS.keyUsage, false, ["digitalSignature"])) }),
    by: ["linter"],
    openssl: false,
  },
  {
    name: "keyUsage allows key agreement",
    change: (one) => ({ extensions: swapped(one, makeExtension(EXTENSIONS.keyUsage, true, ["keyAgreement"])) }),
    by: ["linter", "path"],
    openssl: false,
  },
  {
    name: "keyUsage lets a meter sign certificates",
    change: (one) => ({
      extensions: swapped(one, makeExtension(EXTENSIONS.keyUsage, true, ["digitalSignature", "keyCertSign"])),
    }),
    by: ["linter"],
    openssl: true,
  },
  {
    name: "basicConstraints make an authority of a meter",
    change: (one) => ({
      extensions: [...one.extensions, makeExtension(EXTENSIONS.basicConstraints, true, { isAuthority: true })],
    }),
    by: ["linter"],
    openssl: false,
  },
  {
    name: "extendedKeyUsage stands where it is forbidden",
    change: (one) => ({
      extensions: [...one.extensions, makeExtension(EXTENSIONS.extendedKeyUsage, false, [OID.clientAuth])],
    }),
    by: ["linter"],
    openssl: false,
  },
  {
    name: "the issuer's key is identified otherwise",
    change: (one) => ({
      extensions: swapped(
        one,
        makeExtension(EXTENSIONS.authorityKeyIdentifier, false, { keyIdentifier: new Uint8Array(20) }),
      ),
    }),
    by: ["path"],
    openssl: true,
  },
  {
    name: "its own key is identified otherwise",
    change: (one) => ({
      extensions: swapped(one, makeExtension(EXTENSIONS.subjectKeyIdentifier, false, new Uint8Array(20))),
    }),
    by: ["linter"],
    openssl: false,
  },
  {
    name: "its own key is not identified",
    change: (one) => ({ extensions: without(one, OID.subjectKeyIdentifier) }),
    by: ["linter"],
    openssl: false,
  },
  {
    name: "an extension is critical that nobody knows",
    change: (one) => ({
      extensions: [...one.extensions, { id: "1.2.3.4", critical: true, value: Uint8Array.of(5, 0) }],
    }),
    by: ["linter", "path"],
    openssl: true,
  },
  {
    name: "an extension stands there twice",
    change: (one) => ({ extensions: [...one.extensions, one.extensions[0]!] }),
    by: ["linter", "path"],
    openssl: true,
  },
  {
    name: "a list is named where meters name none",
    change: (one) => ({
      extensions: [
        ...one.extensions,
        makeExtension(EXTENSIONS.crlDistributionPoints, false, [
          { name: { fullName: [{ kind: "uniformResourceIdentifier", value: "http://x/1.crl" }] } },
        ]),
      ],
    }),
    by: ["linter"],
    openssl: false,
  },
];
