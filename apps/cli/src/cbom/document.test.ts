import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { type AuthorityView, KEY_STATES } from "@meterkeep/api/custodian";
import { systemTitle } from "@meterkeep/dlms";
import { issueCertificate, issueRoot, localSigner, PROFILES, type SubjectOf } from "@meterkeep/pki";
import { complaintsOf } from "../testing/cyclonedx-schema.ts";
import {
  algorithmComponents,
  authorityComponent,
  type Component,
  documentHead,
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

/** Requires a whole document of these components to fit, and what refers to another to find it. */
function requireCycloneDx(components: readonly Component[]): void {
  const head = documentHead({ version: "0.1.0", serial: "3e671687-395b-41f5-a30f-a58921a69b79", now: 1 });
  const document: unknown = JSON.parse(`${head}${components.map((one) => JSON.stringify(one)).join(",")}\n]}\n`);
  assert.deepEqual(complaintsOf(document), []);
  const all = components.flatMap((one) => [one, ...(one.components ?? [])]);
  const refs = new Set(all.map((one) => one["bom-ref"]));
  assert.equal(refs.size, all.length, "each bom-ref is there once");
  for (const { name, type, cryptoProperties = {} } of all) {
    assert.equal(type === "cryptographic-asset", "assetType" in cryptoProperties, name);
    for (const fields of Object.values(cryptoProperties))
      for (const [field, value] of Object.entries(typeof fields === "string" ? {} : (fields as object)))
        if (/Ref$/.test(field)) assert.ok(refs.has(String(value)), `${name}: ${value} is nowhere`);
  }
}

test("the schema that is held against refuses what CycloneDX does not know", () => {
  const head = documentHead({ version: "0.1.0", serial: "3e671687-395b-41f5-a30f-a58921a69b79", now: 1 });
  const wrong = (component: unknown) => complaintsOf(JSON.parse(`${head}${JSON.stringify(component)}]}`)).length > 0;
  const asset = { type: "cryptographic-asset", name: "x", "bom-ref": "x" };
  const of = (primitive: string) => ({ assetType: "algorithm", algorithmProperties: { primitive } });
  assert.ok(!wrong({ ...asset, cryptoProperties: of("ae") }));
  assert.ok(wrong({ ...asset, cryptoProperties: of("key-wrap") }));
  assert.ok(wrong({ ...asset, cryptoProperties: { ...of("ae"), more: 1 } }));
});

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
