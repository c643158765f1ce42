import { SessionError } from "@meterkeep/dlms";
import { type FieldValue, hexOctets, object, text, whole } from "@meterkeep/guard";
import type { FirmwareShelf } from "../firmware/shelf.ts";
import { instanceOf } from "../profile/object-name.ts";
import { imageFact, imageObject, runningFact, settledStatus, signatureFact } from "./image-state.ts";
import { forgetImage, givenImage } from "./image-transfer.ts";
import { offered } from "./not-offered.ts";
import type { Operation, OperationResult, OperationSession } from "./operation.ts";

const parameters = object({
  sha384: hexOctets(48, 48),
  identifier: text(32),
  imageBytes: whole(1, 64 * 1024 * 1024),
  /** The name under which the meter reports it once it runs. */
  firmware: text(32),
});
type ActivateParameters = FieldValue<typeof parameters>;

/**
 * Activates the image that was transferred and verified. It fails closed: unless this meter was given this very image, has
 * verified it and shows it as the one and only to activate, nothing is activated. Done is what runs and says so itself.
 */
export const imageActivateOperation = (shelf: FirmwareShelf): Operation<ActivateParameters> => ({
  name: "image-activate",
  parameters,
  example: { sha384: "00".repeat(48), identifier: "I120-250", imageBytes: 200_000, firmware: "I120-2.5.0" },
  words: ({ firmware }) => `activate the firmware ${firmware} that was transferred`,
  command: ({ sha384, identifier }, profile) => ({
    kind: "firmware-activation",
    instance: instanceOf(offered(profile.imageTransfer, "image transfer", profile)),
    identifier,
    sha384,
  }),

  async preview(on, of) {
    const { fact } = await runningFact(on, of.firmware);
    if (fact.holds) return { changes: false, sentence: `${of.firmware} runs already.`, readBack: [fact], findings: [] };
    const { ready, image } = await readiness(shelf, on, of);
    const sentence = ready === undefined ? `${of.firmware} is ready to be activated.` : ready;
    return { changes: ready === undefined, sentence, readBack: [fact, image], findings: [] };
  },

  async run(on, of) {
    const before = await runningFact(on, of.firmware);
    if (before.fact.holds) {
      await forgetImage(on);
      const sentence = `${of.firmware} runs.`;
      return { outcome: "unchanged", sentence, readBack: [before.fact], findings: [], firmware: before.running };
    }
    const { ready, image } = await readiness(shelf, on, of);
    if (ready !== undefined) return notActivated(ready, [image]);
    try {
      await imageObject(on).call("imageActivate");
    } catch (error) {
      // A meter that takes its time says temporary failure; which firmware runs is what counts.
      if (!(error instanceof SessionError)) throw error;
    }
    const status = await settledStatus(on, "activationInitiated");
    const after = await runningFact(on, of.firmware);
    const facts = [{ ...after.fact, before: before.running }, await signatureFact(on)];
    if (!after.fact.holds) return notActivated(`The meter still runs ${after.running} (${status}).`, facts);
    await forgetImage(on);
    return {
      outcome: "done",
      sentence: `${of.firmware} runs; before it was ${before.running}.`,
      readBack: facts,
      findings: [],
      firmware: after.running,
    };
  },
});

/** Why the image cannot be activated; undefined where it can. */
export async function readiness(shelf: FirmwareShelf, on: OperationSession, of: ActivateParameters) {
  const given = await givenImage(on);
  const status = await imageObject(on).get("imageTransferStatus");
  const { release } = await shelf.load(of.sha384);
  const image = await imageFact(on, { ...of, imageSignature: release.imageSignature });
  const whys = [
    given === of.sha384 ? undefined : "this meter was not given that image by us",
    status === "verificationSuccessful" ? undefined : `its image transfer is at ${status}`,
    image.holds ? undefined : `it would activate ${image.found}`,
  ];
  const why = whys.find((each) => each !== undefined);
  return { ready: why && `${of.firmware} cannot be activated: ${why}.`, image };
}

/** Says that the image is not activated, and why, loudly. */
export function notActivated(sentence: string, readBack: OperationResult["readBack"]): OperationResult {
  const findings = [{ code: "firmware-refused", severity: "alert", sentence }] as const;
  return { outcome: "not-taken", sentence, readBack, findings };
}
