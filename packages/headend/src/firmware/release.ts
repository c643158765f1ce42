import { createHash, type KeyObject, verify } from "node:crypto";
import {
  exactly,
  type FieldValue,
  hexOctets,
  listOf,
  object,
  optional,
  readCanonical,
  text,
  Wrong,
  whole,
  writeCanonical,
} from "@meterkeep/guard";
import { HeadEndError } from "../errors.ts";

const models = listOf(text(64), 64);

/** What a maker says of one firmware image. */
export const firmwareRelease = object({
  format: exactly("meterkeep-firmware-1"),
  /** The name under which a meter reports it once it runs. */
  firmware: text(32),
  /** Models that it is for. */
  models,
  imageBytes: whole(1, 64 * 1024 * 1024),
  /** SHA-384 of the image. */
  sha384: hexOctets(48, 48),
  /** image_transfer identifier, as text. */
  identifier: text(32),
  /** What meters show as image_to_activate_signature once they have verified it, where the maker says. */
  imageSignature: optional(hexOctets(1, 256)),
});
export type FirmwareRelease = FieldValue<typeof firmwareRelease>;

/** Goes before what is signed, so that no signature over something else is one over a release. */
const PREFIX = Buffer.from("meterkeep-firmware-release-1\n");

/** The octets that a maker signs: ECDSA, r and s, SHA-384. */
export function signedRelease(release: FirmwareRelease): Uint8Array {
  return Buffer.concat([PREFIX, Buffer.from(writeCanonical(firmwareRelease, release))]);
}

/** A release whose signature holds, with the image that it is about. */
export interface VerifiedFirmware {
  readonly release: FirmwareRelease;
  readonly image: Uint8Array;
}

/**
 * Verifies a release and its image. `makers` are the public keys that are trusted to sign firmware.
 *
 * @throws HeadEndError `firmware-refused`
 */
export function verifyFirmware(
  file: { readonly release: string; readonly signature: Uint8Array; readonly image: Uint8Array },
  makers: readonly KeyObject[],
): VerifiedFirmware {
  const release = read(file.release);
  const signed = signedRelease(release);
  const isSigned = makers.some((key) => verify("sha384", signed, { key, dsaEncoding: "ieee-p1363" }, file.signature));
  if (!isSigned) throw refused(`no trusted maker has signed the release of ${release.firmware}`);
  const { image } = file;
  const sha384 = createHash("sha384").update(image).digest("hex");
  if (image.length !== release.imageBytes || sha384 !== release.sha384)
    throw refused(`the image is not the one of the release of ${release.firmware}`);
  return { release, image };
}

function read(text: string): FirmwareRelease {
  const release = readCanonical(text, firmwareRelease);
  if (release instanceof Wrong) throw refused(`the release is not one of format meterkeep-firmware-1: ${release.why}`);
  return release;
}

/** Why firmware is not sent to anybody. */
export function refused(why: string, cause?: unknown): HeadEndError {
  return new HeadEndError("firmware-refused", why, { cause });
}
