import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { type ImageInfo, ImageReceiver } from "@meterkeep/dlms";

/** The largest block that fits the shortest APDU of these meters. */
const BLOCK_BYTES = 256;
/** What a meter has room for. */
const MAX_IMAGE_BYTES = 1024 * 1024;
/** ECDSA over P-384, r and s: the last octets of an image. */
const SIGNATURE_BYTES = 96;
const PREFIX = Buffer.from("meterkeep-virtual-firmware-1\n");
/** An image begins with this, and with the name of the firmware behind it, up to a line end: no other is one of ours. */
const MAGIC = "MKVFW ";
const NAME = /^MKVFW ([A-Za-z0-9.-]{1,32})\n/;

/** An image for these meters as their maker signs it, `bytes` long. */
export function firmwareImage(firmware: string, bytes: number, makerKey: KeyObject): Uint8Array {
  const head = Buffer.from(`${MAGIC}${firmware}\n`, "latin1");
  const content = new Uint8Array(Math.max(bytes - SIGNATURE_BYTES, head.length));
  content.set(head);
  for (let at = head.length; at < content.length; at += 1) content[at] = (at * 31) & 0xff;
  const signature = sign("sha384", Buffer.concat([PREFIX, content]), { key: makerKey, dsaEncoding: "ieee-p1363" });
  return new Uint8Array(Buffer.concat([content, signature]));
}

/** The name of the firmware in an image; undefined for what is none. */
export function firmwareIn(image: Uint8Array): string | undefined {
  return NAME.exec(Buffer.from(image.subarray(0, 64)).toString("latin1"))?.[1];
}

/** A meter, as far as its image transfer needs it. */
export interface FirmwareOwner {
  /** What runs now. */
  readonly firmware: string;
  /** The maker's public key that the factory burnt in, SPKI in base64; a meter without one takes no image at all. */
  readonly makerKey: string | undefined;
  install(firmware: string): void;
}

/** The image transfer of one meter. It takes an image of its maker, for its own kind, that is no older than what runs. */
export function imageReceiver(owner: FirmwareOwner): ImageReceiver {
  const accepted = (image: Uint8Array): string | undefined => {
    const firmware = firmwareIn(image);
    if (firmware === undefined || !isOfMaker(image, owner.makerKey)) return undefined;
    return isUpdate(firmware, owner.firmware) ? firmware : undefined;
  };
  return new ImageReceiver({
    blockBytes: BLOCK_BYTES,
    maxImageBytes: MAX_IMAGE_BYTES,
    verify: (identifier, image) => (accepted(image) === undefined ? undefined : [infoOf(identifier, image)]),
    activate: (_, image) => {
      const firmware = accepted(image);
      if (firmware === undefined) return false;
      owner.install(firmware);
      return true;
    },
  });
}

function isOfMaker(image: Uint8Array, makerKey: string | undefined): boolean {
  if (makerKey === undefined || image.length <= SIGNATURE_BYTES) return false;
  const key = createPublicKey({ key: Buffer.from(makerKey, "base64"), format: "der", type: "spki" });
  const content = Buffer.concat([PREFIX, image.subarray(0, -SIGNATURE_BYTES)]);
  return verify("sha384", content, { key, dsaEncoding: "ieee-p1363" }, image.subarray(-SIGNATURE_BYTES));
}

/** Whether `offered` (`I120-2.5.0`) is for the kind of meter that `running` is of, and no older. */
function isUpdate(offered: string, running: string): boolean {
  const [kind, version] = partsOf(offered);
  const [ownKind, ownVersion] = partsOf(running);
  if (kind !== ownKind) return false;
  const at = version.findIndex((number, place) => number !== (ownVersion[place] ?? 0));
  return at === -1 || (version[at] ?? 0) > (ownVersion[at] ?? 0);
}

function partsOf(firmware: string): readonly [kind: string, version: readonly number[]] {
  const dash = firmware.lastIndexOf("-");
  return [
    firmware.slice(0, Math.max(dash, 0)),
    firmware
      .slice(dash + 1)
      .split(".")
      .map(Number),
  ];
}

function infoOf(identifier: Uint8Array, image: Uint8Array): ImageInfo {
  return {
    imageToActivateSize: image.length,
    imageToActivateIdentification: identifier,
    imageToActivateSignature: createHash("sha256").update(image).digest(),
  };
}
