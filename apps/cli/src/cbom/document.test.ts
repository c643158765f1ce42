import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { type AuthorityView, KEY_STATES } from "@meterkeep/api/custodian";
import { systemTitle } from "@meterkeep/dlms";
import { issueCertificate, issueRoot, localSigner, PROFILES, type SubjectOf } from "@meterkeep/pki";
import {
  algorithmComponents,
  authorityComponent,
  type Component,
  type MeterFound,
  meterComponent,
  protocolComponent,
} from "./document.ts";

test("whose takeover was exposed to a recording says so, and no other", () => {
  const meter = systemTitle(Uint8Array.of(0x4d, 0x4b, 0x30, 0x30, 0, 0, 0, 1));
  const found = (grade: string) => ({ state: { meter, grade, verdict: "kept" }, suite: 1, keys: [], certificates: [] });
  const said = (grade: string) =>
    meterComponent(found(grade) as unknown as Parameters<typeof meterComponent>[0], 0).properties?.find(({ name }) =>
      name.endsWith("harvest-now"),
    )?.value;
  assert.deepEqual(["exposed", "agreed", "private"].map(said), ["true", "false", "false"]);
});

/** What CycloneDX 1.6 allows in the parts of cryptoProperties that we write: words, by the path of their field. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  assetType: ["algorithm", "certificate", "protocol", "related-crypto-material"],
  "algorithmProperties.primitive":
    "drbg mac block-cipher stream-cipher signature hash pke xof kdf key-agree kem ae combiner other unknown".split(" "),
  "algorithmProperties.mode": "cbc ecb ccm gcm cfb ofb ctr other unknown".split(" "),
  "protocolProperties.type": "tls ssh ipsec ike sstp wpa other unknown".split(" "),
  "relatedCryptoMaterialProperties.type": ["private-key", "public-key", "secret-key", "key", "other", "unknown"],
  "relatedCryptoMaterialProperties.state": "pre-activation active suspended deactivated compromised destroyed".split(
    " ",
  ),
};
const FUNCTIONS =
  "generate keygen encrypt decrypt digest tag keyderive sign verify encapsulate decapsulate other unknown".split(" ");
/** Fields that its schema has for each, and no others. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  algorithmProperties:
    "primitive parameterSetIdentifier curve executionEnvironment implementationPlatform certificationLevel mode padding cryptoFunctions classicalSecurityLevel nistQuantumSecurityLevel".split(
      " ",
    ),
  certificateProperties:
    "subjectName issuerName notValidBefore notValidAfter signatureAlgorithmRef subjectPublicKeyRef certificateFormat certificateExtension".split(
      " ",
    ),
  protocolProperties: ["type", "version", "cipherSuites", "ikev2TransformTypes", "cryptoRefArray"],
  relatedCryptoMaterialProperties:
    "type id state algorithmRef creationDate activationDate updateDate expirationDate value size format securedBy".split(
      " ",
    ),
};

function requireCycloneDx(components: readonly Component[]): void {
  const all = components.flatMap((one) => [one, ...(one.components ?? [])]);
  const refs = new Set(all.map((one) => one["bom-ref"]));
  assert.equal(refs.size, all.length, "each bom-ref is there once");
  for (const { name, type, cryptoProperties = {} } of all) {
    assert.equal(type === "cryptographic-asset", "assetType" in cryptoProperties, name);
    for (const [part, fields] of Object.entries(cryptoProperties)) {
      const values = typeof fields === "string" ? { [part]: fields } : (fields as Record<string, unknown>);
      for (const [field, value] of Object.entries(values)) {
        const place = typeof fields === "string" ? part : `${part}.${field}`;
        if (typeof fields !== "string") assert.ok(FIELDS[part]?.includes(field), `${name}: there is no ${place}`);
        const words = WORDS[place];
        if (words !== undefined) assert.ok(words.includes(String(value)), `${name}: ${place} is never ${value}`);
        if (field === "cryptoFunctions")
          assert.deepEqual(
            (value as string[]).filter((one) => !FUNCTIONS.includes(one)),
            [],
          );
        if (/Ref$/.test(field)) assert.ok(refs.has(String(value)), `${name}: ${value} is nowhere`);
        if (/Date$|^notValid/.test(field)) assert.match(String(value), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
      }
    }
  }
}

test("what is written fits CycloneDX 1.6, and of each certificate it says by which algorithm it was signed", () => {
  const make = (curve: "P-256" | "P-384") => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: curve });
    const { x, y } = privateKey.export({ format: "jwk" }) as { readonly x: string; readonly y: string };
    const point = new Uint8Array(Buffer.concat([Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]));
    return localSigner(privateKey, { curve, point });
  };
  const [rootKey, key] = [make("P-384"), make("P-256")];
  const notBefore = new Date("2026-01-01T00:00:00Z");
  const order = { serial: Uint8Array.of(0x11), notBefore, policies: ["2.5.29.32.0"] } as const;
  const root = issueRoot(rootKey, { ...order, profile: PROFILES.get("root")!, subject: { names: { CN: "Root" } } });
  const issuer = { signer: rootKey, certificate: root };
  const title = systemTitle(Uint8Array.of(0x4d, 0x4b, 0x30, 0x30, 0, 0, 0, 1));
  const issued = (profile: string, subject: SubjectOf) =>
    issueCertificate(issuer, { ...order, profile: PROFILES.get(profile)!, subject, publicKey: key.publicKey }).octets;
  const authority = (profile: string, certificate: Uint8Array) =>
    authorityComponent({
      ...{ authority: profile, utility: "*", island: "*", name: profile, profile, parent: undefined },
      ...{ keyPlace: "vault", state: "standing", why: undefined, certificate, createdAt: 0 },
    } as AuthorityView);
  const view = {
    ...{ authority: "aa", serial: "11", profile: "dlms-suite-1-signature", subject: "CN=4D4B303000000001" },
    ...{ notBefore: notBefore.getTime(), notAfter: 253402300799000, state: "valid" },
    certificate: issued("dlms-suite-1-signature", { systemTitle: title }),
  };
  const keys = KEY_STATES.map((state, version) => ({
    ...{ purpose: "GUEK", version, state, origin: "generated", createdAt: 0, provenAt: 1 },
  }));
  const state = { meter: title, grade: "exposed", verdict: "kept" };
  const meter = meterComponent({ state, suite: 1, keys, certificates: [view] } as unknown as MeterFound, 1);
  const components = [
    ...algorithmComponents(),
    protocolComponent({
      name: "channel",
      protocol: "TLSv1.3",
      cipher: "TLS_AES_256_GCM_SHA384",
      group: "X25519MLKEM768",
    }),
    authority("root", root.octets),
    authority("issuing-p256", issued("issuing-p256", { names: { CN: "Issuing" } })),
    meter,
  ];
  requireCycloneDx(components);
  const signed = (name: string) =>
    [...components, ...(meter.components ?? [])]
      .filter((one) => one.name === name)
      .map(({ cryptoProperties }) => {
        const certificate = cryptoProperties?.["certificateProperties"] as Record<string, unknown> | undefined;
        return certificate?.["signatureAlgorithmRef"];
      });
  // Keys on P-256, signed by one on P-384.
  assert.deepEqual(signed("issuing-p256"), ["algorithm/ECDSA-P384"]);
  assert.deepEqual(signed("dlms-suite-1-signature"), ["algorithm/ECDSA-P384"]);
  assert.equal(meter.properties?.find(({ name }) => name.endsWith("harvest-now"))?.value, "true");
});
