import { createHash } from "node:crypto";
import { type ImageInfo, ImageReceiver } from "@meterkeep/dlms";

/** The largest block that fits the shortest APDU of these meters. */
const BLOCK_BYTES = 256;
/** What a meter has room for. */
const MAX_IMAGE_BYTES = 1024 * 1024;
/** An image begins with this, and with the name of the firmware behind it, up to a line end: no other is one of ours. */
const MAGIC = "MKVFW ";
const NAME = /^MKVFW ([A-Za-z0-9.-]{1,32})\n/;

/** The octets of an image for these meters, `bytes` long. */
export function firmwareImage(firmware: string, bytes: number): Uint8Array {
  const head = Buffer.from(`${MAGIC}${firmware}\n`, "latin1");
  const image = new Uint8Array(Math.max(bytes, head.length));
  image.set(head);
  return image;
}

/** The name of the firmware in an image; undefined for what is none. */
export function firmwareIn(image: Uint8Array): string | undefined {
  return NAME.exec(Buffer.from(image.subarray(0, 64)).toString("latin1"))?.[1];
}

/** The image transfer of one meter. `onActivated` is told which firmware runs from then on. */
export function imageReceiver(onActivated: (firmware: string) => void): ImageReceiver {
  return new ImageReceiver({
    blockBytes: BLOCK_BYTES,
    maxImageBytes: MAX_IMAGE_BYTES,
    verify: (identifier, image) => (firmwareIn(image) === undefined ? undefined : [infoOf(identifier, image)]),
    activate: (_, image) => {
      const firmware = firmwareIn(image);
      if (firmware === undefined) return false;
      onActivated(firmware);
      return true;
    },
  });
}

function infoOf(identifier: Uint8Array, image: Uint8Array): ImageInfo {
  return {
    imageToActivateSize: image.length,
    imageToActivateIdentification: identifier,
    imageToActivateSignature: createHash("sha256").update(image).digest(),
  };
}
