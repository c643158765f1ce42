import { createHash, createPrivateKey, type KeyObject, sign } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { writeCanonical } from "@meterkeep/guard";
import { type FirmwareRelease, firmwareRelease, signedRelease } from "@meterkeep/headend";

/** The key with which the town's maker signs firmware. */
export function townMaker(stateDirectory: string): KeyObject {
  const pem = readFileSync(`${stateDirectory}/factory/signing-keys.pem`, "utf8");
  return createPrivateKey(pem.slice(0, pem.indexOf("-----END PRIVATE KEY-----") + 26));
}

/** Trusts a maker of firmware, as an operator does: a public key on the shelf. */
export function trustMaker(stateDirectory: string, publicKeyPem: string): void {
  mkdirSync(`${shelfOf(stateDirectory)}/makers`, { recursive: true, mode: 0o755 });
  writeFileSync(`${shelfOf(stateDirectory)}/makers/maker.pem`, publicKeyPem);
}

/** Puts an image on the shelf with a release that says it is right and for these models, signed by `key`. */
export function shelve(
  stateDirectory: string,
  image: Uint8Array,
  facts: Pick<FirmwareRelease, "firmware" | "models" | "identifier">,
  key: KeyObject,
): FirmwareRelease {
  const sha384 = createHash("sha384").update(image).digest("hex");
  const release: FirmwareRelease = {
    format: "meterkeep-firmware-1",
    ...facts,
    imageBytes: image.length,
    sha384,
    // What meters of the town show of an image that they have verified.
    imageSignature: createHash("sha256").update(image).digest("hex"),
  };
  const signature = sign("sha384", signedRelease(release), { key, dsaEncoding: "ieee-p1363" }).toString("hex");
  const written = { release: writeCanonical(firmwareRelease, release), signature };
  writeFileSync(`${shelfOf(stateDirectory)}/${sha384}.json`, JSON.stringify(written));
  writeFileSync(`${shelfOf(stateDirectory)}/${sha384}.image`, image);
  return release;
}

function shelfOf(stateDirectory: string): string {
  return `${stateDirectory}/head-end/firmware`;
}
