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
  return shelfOf({
    read: (name) => readFile(join(folder, name)),
    makers: () => readdir(join(folder, "makers")).catch(() => []),
  });
}

/** The files of a shelf, by name: what {@link folderShelf} has in its folder. */
export interface ShelfFiles {
  /** @throws where there is none of that name */
  read(name: string): Promise<Uint8Array>;
  /** Names of files in `makers`. */
  makers(): Promise<readonly string[]>;
}

/** A shelf whose files are anywhere: it believes none of them but for the maker's signature. */
export function shelfOf(files: ShelfFiles): FirmwareShelf {
  return {
    load: async (sha384) => {
      if (!/^[0-9a-f]{96}$/.test(sha384)) throw refused("not the hash of an image");
      const [written, image] = await Promise.all([files.read(`${sha384}.json`), files.read(`${sha384}.image`)]).catch(
        () => {
          throw refused(`no image ${sha384} is on the shelf`);
        },
      );
      const { release, signature } = parsed(Buffer.from(written).toString("utf8"));
      return verifyFirmware({ release, signature: Buffer.from(signature, "hex"), image }, await makersIn(files));
    },
  };
}

async function makersIn(files: ShelfFiles): Promise<readonly KeyObject[]> {
  const names = (await files.makers()).filter((name) => name.endsWith(".pem"));
  return Promise.all(
    names.map(async (name) => {
      try {
        return createPublicKey(Buffer.from(await files.read(`makers/${name}`)));
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
