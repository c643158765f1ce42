import { createPublicKey, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { refused, type VerifiedFirmware, verifyFirmware } from "./release.ts";

/** Where released firmware is found, by the hash of its image. */
export interface FirmwareShelf {
  /** @throws HeadEndError `firmware-refused` where there is none, or it does not verify */
  load(sha384: string): Promise<VerifiedFirmware>;
}

/**
 * A folder with `<sha384>.json` (release and signature as the maker wrote them) and `<sha384>.image` beside it. `makers` are
 * the keys that are trusted to sign firmware, SPKI DER. Verified each time it is taken from the shelf.
 */
export function folderShelf(folder: string, makers: readonly Uint8Array[]): FirmwareShelf {
  const keys: readonly KeyObject[] = makers.map((der) =>
    createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" }),
  );
  return {
    load: async (sha384) => {
      if (!/^[0-9a-f]{96}$/.test(sha384)) throw refused("not the hash of an image");
      const [written, image] = await Promise.all([
        readFile(join(folder, `${sha384}.json`), "utf8"),
        readFile(join(folder, `${sha384}.image`)),
      ]).catch(() => {
        throw refused(`no image ${sha384} is on the shelf`);
      });
      const { release, signature } = parsed(written);
      return verifyFirmware({ release, signature: Buffer.from(signature, "hex"), image }, keys);
    },
  };
}

function parsed(written: string): { readonly release: string; readonly signature: string } {
  try {
    const { release, signature } = JSON.parse(written) as { release?: unknown; signature?: unknown };
    if (typeof release === "string" && typeof signature === "string") return { release, signature };
  } catch {
    // The same as any other text that is no release.
  }
  throw refused("the release is not a JSON of release and signature");
}
