import { DataClass, equalBytes, ImageTransfer, plainValue, remote, textOf, toHex } from "@meterkeep/dlms";
import { logicalName } from "../profile/object-name.ts";
import { foreignText } from "../reading/foreign-text.ts";
import { offered } from "./not-offered.ts";
import type { OperationSession, ReadBack } from "./operation.ts";
import { shown } from "./shown.ts";

/** How long a meter may take for one step, and how often it is asked meanwhile. */
const STEP_MILLISECONDS = 60_000;
const ASKED_EVERY_MILLISECONDS = 2_000;

/** The image transfer object of the meter. */
export function imageObject(on: OperationSession) {
  return remote(
    on.session,
    ImageTransfer,
    logicalName(offered(on.profile.imageTransfer, "image transfer", on.profile)),
  );
}

/** Which firmware runs, as the meter says. */
export async function runningFact(
  on: OperationSession,
  wanted: string,
): Promise<{ readonly fact: ReadBack; readonly running: string }> {
  const name = logicalName(on.profile.firmware.identifier);
  on.begin();
  const value = await remote(on.session, DataClass, name).get("value");
  const said = String(textOf(value) ?? plainValue(value) ?? "");
  const running = foreignText(said);
  const evidence = on.evidence();
  const fact = { name: "firmware", object: `${name}/2`, wanted, found: running, holds: said === wanted, evidence };
  return { fact, running };
}

/** What the firmware that runs says of itself beside its name, as hex. */
export async function signatureFact(on: OperationSession): Promise<ReadBack> {
  const name = logicalName(on.profile.firmware.signature);
  on.begin();
  const octets = await on.session.get({ classId: 1, logicalName: name, attributeId: 2 });
  return {
    name: "firmware signature",
    object: `${name}/2`,
    found: shown(octets),
    holds: true,
    evidence: on.evidence(),
  };
}

/** The image as it was approved, and its signature where its maker has said what the meter shows of it. */
export interface WantedImage {
  readonly identifier: string;
  readonly imageBytes: number;
  /** Upper- or lower-case hex. */
  readonly imageSignature?: string | undefined;
}

/** The image that the meter would activate: it holds only if it is just the one wanted, by size, identifier and signature. */
export async function imageFact(on: OperationSession, of: WantedImage): Promise<ReadBack> {
  const name = logicalName(offered(on.profile.imageTransfer, "image transfer", on.profile));
  on.begin();
  const { imageSignature } = of;
  const signed = (hex: string): string => (imageSignature === undefined ? "" : `, signature ${hex.toLowerCase()}`);
  const shows = await imageObject(on).get("imageToActivateInfo");
  const images = shows.map(
    ({ imageToActivateIdentification, imageToActivateSize, imageToActivateSignature }) =>
      `${foreignText(new TextDecoder().decode(imageToActivateIdentification))} of ${imageToActivateSize} octets${signed(toHex(imageToActivateSignature))}`,
  );
  // Other octets may be shown as the same text.
  const isNamed = shows.every(({ imageToActivateIdentification }) =>
    equalBytes(imageToActivateIdentification, new TextEncoder().encode(of.identifier)),
  );
  const wanted = `${of.identifier} of ${of.imageBytes} octets${signed(imageSignature ?? "")}`;
  return {
    name: "image to activate",
    object: `${name}/7`,
    wanted,
    found: images.length === 0 ? "no image" : images.join(", "),
    // Nothing to activate, or something besides, is not the image that was approved.
    holds: images.length === 1 && images[0] === wanted && isNamed,
    evidence: on.evidence(),
  };
}

/** The status of the transfer once it is no longer `passing`. */
export async function settledStatus(on: OperationSession, passing: string): Promise<string> {
  for (let waited = 0; ; waited += ASKED_EVERY_MILLISECONDS) {
    const status = await imageObject(on).get("imageTransferStatus");
    if (status !== passing || waited >= STEP_MILLISECONDS) return status;
    await on.pause(ASKED_EVERY_MILLISECONDS);
  }
}
