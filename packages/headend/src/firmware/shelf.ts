import { createPublicKey, type KeyObject } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { refused, type VerifiedFirmware, verifyFirmware } from "./release.ts";

/** Where released firmware is found, by the hash of its image. */
export interface FirmwareShelf {
  /** @throws HeadEndError `firmware-refused` where there is none, or it does not verify */
  load(sha384: string): Promise<VerifiedFirmware>;
}

/**
 * A folder with `<sha384>.json` (release and signature as the maker wrote them) and `<sha384>.image` beside it, and in
 * `makers` the public keys (PEM) that are trusted to sign firmware: where there is none, no firmware is taken. All of it is
 * verified each time an image is taken from the shelf.
 */
export function folderShelf(folder: string): FirmwareShelf {
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
      return verifyFirmware(
        { release, signature: Buffer.from(signature, "hex"), image },
        await makersIn(join(folder, "makers")),
      );
    },
  };
}

async function makersIn(folder: string): Promise<readonly KeyObject[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".pem"));
  return Promise.all(
    names.map(async (name) => {
      try {
        return createPublicKey(await readFile(join(folder, name), "utf8"));
      } catch (cause) {
        throw refused(`makers/${name} on the shelf is no public key`, cause);
      }
    }),
  );
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
