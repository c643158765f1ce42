import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { writeCanonical } from "@meterkeep/guard";
import { type FirmwareRelease, firmwareRelease, signedRelease } from "./release.ts";
import { folderShelf } from "./shelf.ts";

const IMAGE = Buffer.from("an image");
const SHA384 = createHash("sha384").update(IMAGE).digest("hex");
const RELEASE: FirmwareRelease = {
  format: "meterkeep-firmware-1",
  firmware: "I120-2.5.0",
  models: ["MKV-I120"],
  imageBytes: IMAGE.length,
  sha384: SHA384,
  identifier: "I120-250",
  imageSignature: "ab".repeat(32),
};

const keys = () => generateKeyPairSync("ec", { namedCurve: "P-384" });
const maker = keys();

/** A shelf as an operator fills it. */
async function withShelf(
  files: {
    readonly image?: Buffer;
    readonly release?: string;
    readonly by?: KeyObject;
    readonly makers?: readonly KeyObject[];
  },
  body: (load: () => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const { image = IMAGE, by = maker.privateKey, makers = [maker.publicKey] } = files;
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-shelf-"));
  try {
    mkdirSync(join(folder, "makers"));
    for (const [at, key] of makers.entries())
      writeFileSync(join(folder, "makers", `${at}.pem`), key.export({ type: "spki", format: "pem" }));
    const signature = sign("sha384", signedRelease(RELEASE), { key: by, dsaEncoding: "ieee-p1363" }).toString("hex");
    const release = files.release ?? writeCanonical(firmwareRelease, RELEASE);
    writeFileSync(join(folder, `${SHA384}.json`), JSON.stringify({ release, signature }));
    writeFileSync(join(folder, `${SHA384}.image`), image);
    await body(() => folderShelf(folder).load(SHA384));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("firmware that a trusted maker has released is taken from the shelf with its image", () =>
  withShelf({ makers: [keys().publicKey, maker.publicKey] }, async (load) => {
    const { release, image } = (await load()) as { release: FirmwareRelease; image: Uint8Array };
    assert.deepEqual([release, Buffer.from(image)], [RELEASE, IMAGE]);
  }));

const REFUSED = {
  "an image that is another one": { image: Buffer.from("an imagf") },
  "a release that somebody else has signed": { by: keys().privateKey },
  "a release where no maker is trusted": { makers: [] },
  "a release in other octets than were signed": { release: `${writeCanonical(firmwareRelease, RELEASE)} ` },
  "a release that says more than was signed": {
    release: writeCanonical(firmwareRelease, { ...RELEASE, models: ["MKV-I360"] }),
  },
};
for (const [name, files] of Object.entries(REFUSED))
  test(`${name} is refused`, () => withShelf(files, (load) => assert.rejects(load(), { code: "firmware-refused" })));

test("what is not on the shelf, or is no hash, is refused", async () => {
  const shelf = folderShelf(tmpdir());
  for (const sha384 of ["00".repeat(48), "../../etc/passwd", ""])
    await assert.rejects(shelf.load(sha384), { code: "firmware-refused" });
});
