import { hasBit, ImageTransfer, remote, SessionError } from "@meterkeep/dlms";
import { type FieldValue, hexOctets, object, text, whole } from "@meterkeep/guard";
import { refused } from "../firmware/release.ts";
import type { FirmwareShelf } from "../firmware/shelf.ts";
import { instanceOf, logicalName } from "../profile/object-name.ts";
import { imageFact, runningFact, settledStatus } from "./image-state.ts";
import { offered } from "./not-offered.ts";
import type { Operation, OperationResult, OperationSession } from "./operation.ts";

const parameters = object({
  /** SHA-384 of the image; what else is said of it has to be what its release says. */
  sha384: hexOctets(48, 48),
  identifier: text(32),
  imageBytes: whole(1, 64 * 1024 * 1024),
  /** What the meters take at a time. */
  blockBytes: whole(16, 32_768),
});
type TransferParameters = FieldValue<typeof parameters>;

/** What is kept of a meter that is being given an image. */
interface Transfer {
  readonly sha384: string;
  /** Whether the meter is known to have begun with it. */
  readonly initiated: boolean;
  /** Blocks sent so far, over all sessions. */
  readonly sent: number;
}

const TOPIC = "image-transfer";
/** No image is sent more often than this, whatever the meter says is missing. */
const MOST_SENT = 3;
/** What is left of a transfer after so long in one session is for the next one. */
const SESSION_MILLISECONDS = 240_000;
/** How often what was sent is written down, in blocks: it only bounds what is sent again. */
const KEPT_EVERY = 64;

/**
 * Transfers a firmware image and has the meter verify it, and no more: it is activated by another operation, another manifest.
 *
 * Release, signature and image are verified before the first block. What the meter lacks it says itself, so a transfer goes on
 * at the block where it was cut off, and begins anew only where the meter has forgotten it or was given another image. It is
 * done when the meter has verified it and shows the size and the identifier of this image: anything else is a failure.
 */
export function imageTransferOperation(shelf: FirmwareShelf): Operation<TransferParameters> {
  return {
    name: "image-transfer",
    parameters,
    example: { sha384: "00".repeat(48), identifier: "I120-250", imageBytes: 200_000, blockBytes: 256 },
    words: ({ identifier, imageBytes }) => `transfer firmware "${identifier}" of ${imageBytes} octets`,
    command: ({ sha384, identifier, imageBytes, blockBytes }, profile) => ({
      kind: "firmware-transfer",
      instance: instanceOf(offered(profile.imageTransfer, "image transfer", profile)),
      identifier,
      imageBytes,
      blockBytes,
      sha384,
    }),

    async preview(on, of) {
      const { release } = await verified(shelf, on, of);
      const { fact } = await runningFact(on, release.firmware);
      const sentence = fact.holds
        ? `${release.firmware} runs already.`
        : `${fact.found} would be given ${release.firmware}.`;
      return { changes: !fact.holds, sentence, readBack: [fact], findings: [] };
    },

    async run(on, of) {
      const { release, image } = await verified(shelf, on, of);
      const running = await runningFact(on, release.firmware);
      if (running.fact.holds)
        return {
          outcome: "unchanged",
          sentence: `${release.firmware} runs already.`,
          readBack: [running.fact],
          findings: [],
        };
      const transfer = new ImageSender(on, of, image);
      const { blockBytes } = await transfer.look();
      if (blockBytes !== of.blockBytes)
        return failed(`The meter takes blocks of ${blockBytes} octets, not of ${of.blockBytes}.`);
      const ends = on.now() + SESSION_MILLISECONDS;
      const left = await transfer.send(ends);
      if (left === undefined)
        return failed(`The meter still lacks blocks after the image was sent ${MOST_SENT} times.`);
      if (left > 0) {
        const sentence = `${left} of ${transfer.blocks} blocks are left for the next session.`;
        return { outcome: "not-now", sentence, readBack: [], findings: [], againAt: on.now() };
      }
      const status = await transfer.verify();
      const fact = await imageFact(on, release);
      if (status !== "verificationSuccessful" || !fact.holds) {
        await on.memory.save(TOPIC, undefined);
        return { ...failed(`The meter did not accept the image: ${status}, ${fact.found}.`), readBack: [fact] };
      }
      const sent = `${transfer.sentNow} of ${transfer.blocks} blocks in this session`;
      const sentence = `${release.firmware} was transferred (${sent}) and verified by the meter; it does not run yet.`;
      return { outcome: "done", sentence, readBack: [fact], findings: [] };
    },
  };
}

function failed(sentence: string): OperationResult {
  const findings = [{ code: "firmware-refused", severity: "alert", sentence }] as const;
  return { outcome: "not-taken", sentence, readBack: [], findings };
}

/** The image, verified, and for this meter. @throws HeadEndError `firmware-refused` before anything is sent */
async function verified(shelf: FirmwareShelf, on: OperationSession, of: TransferParameters) {
  const found = await shelf.load(of.sha384);
  const { release } = found;
  if (release.identifier !== of.identifier || release.imageBytes !== of.imageBytes)
    throw refused(`what was approved is not what the release of ${release.firmware} says`);
  const { model } = on.meter;
  if (model === undefined || !release.models.includes(model))
    throw refused(`${release.firmware} is not for meters of model ${model ?? "unknown"}`);
  return found;
}

/** Sends the blocks that a meter lacks. */
class ImageSender {
  readonly #on: OperationSession;
  readonly #of: TransferParameters;
  readonly #image: Uint8Array;
  readonly #object;
  #kept: Transfer;
  #sentNow = 0;

  constructor(on: OperationSession, of: TransferParameters, image: Uint8Array) {
    this.#on = on;
    this.#of = of;
    this.#image = image;
    const { imageTransfer } = on.profile;
    this.#object = remote(on.session, ImageTransfer, logicalName(imageTransfer ?? ""));
    this.#kept = { sha384: of.sha384, initiated: false, sent: 0 };
  }

  /** Of the whole image. */
  get blocks(): number {
    return Math.ceil(this.#of.imageBytes / this.#of.blockBytes);
  }

  get sentNow(): number {
    return this.#sentNow;
  }

  async look(): Promise<{ readonly blockBytes: number }> {
    return { blockBytes: await this.#object.get("imageBlockSize") };
  }

  /** Sends until nothing is missing or the time is over. Gives how many blocks are left; undefined where it gave up. */
  async send(until: number): Promise<number | undefined> {
    const { blocks } = this;
    await this.#begin();
    for (;;) {
      const missing = await this.#missing(blocks);
      if (missing.length === 0) return 0;
      for (const [at, block] of missing.entries()) {
        if (this.#on.now() >= until) return missing.length - at;
        if (this.#kept.sent >= MOST_SENT * blocks) {
          await this.#on.memory.save(TOPIC, undefined);
          return undefined;
        }
        await this.#sendBlock(block);
      }
    }
  }

  /** Has the meter verify what it was given, unless it has done so; waits for its verdict. */
  async verify(): Promise<string> {
    const status = await this.#object.get("imageTransferStatus");
    if (status === "initiated" || status === "verificationFailed") {
      try {
        await this.#object.call("imageVerify");
      } catch (error) {
        // The status says how it went; a temporary failure is how a meter says that it takes its time.
        if (!(error instanceof SessionError)) throw error;
      }
    }
    return settledStatus(this.#on, "verificationInitiated");
  }

  /** Takes up a transfer of this very image, or begins one. */
  async #begin(): Promise<void> {
    const { memory } = this.#on;
    const kept = (await memory.load(TOPIC)) as Transfer | undefined;
    const { imageTransferEnabled, imageTransferStatus, imageFirstNotTransferredBlockNumber } =
      await this.#object.getAll("imageTransferEnabled", "imageTransferStatus", "imageFirstNotTransferredBlockNumber");
    const isUnderWay = imageTransferEnabled && RESUMABLE.has(imageTransferStatus);
    if (kept?.sha384 === this.#of.sha384 && isUnderWay) {
      // An answer may have been lost: with nothing transferred yet, beginning is all that can have happened.
      if (kept.initiated || imageFirstNotTransferredBlockNumber === 0) {
        this.#kept = { ...kept, initiated: true };
        return;
      }
    }
    if (!imageTransferEnabled) await this.#object.set("imageTransferEnabled", true);
    await memory.save(TOPIC, this.#kept);
    await this.#object.call("imageTransferInitiate", {
      imageIdentifier: new TextEncoder().encode(this.#of.identifier),
      imageSize: this.#of.imageBytes,
    });
    this.#kept = { ...this.#kept, initiated: true };
    await memory.save(TOPIC, this.#kept);
  }

  async #missing(blocks: number): Promise<readonly number[]> {
    const { imageTransferStatus, imageTransferredBlocksStatus } = await this.#object.getAll(
      "imageTransferStatus",
      "imageTransferredBlocksStatus",
    );
    if (VERIFIED.has(imageTransferStatus)) return [];
    return Array.from({ length: blocks }, (_, block) => block).filter(
      (block) => !hasBit(imageTransferredBlocksStatus, block),
    );
  }

  async #sendBlock(block: number): Promise<void> {
    const { blockBytes } = this.#of;
    const imageBlockValue = this.#image.subarray(block * blockBytes, (block + 1) * blockBytes);
    this.#kept = { ...this.#kept, sent: this.#kept.sent + 1 };
    this.#sentNow += 1;
    if (this.#kept.sent % KEPT_EVERY === 0) await this.#on.memory.save(TOPIC, this.#kept);
    try {
      await this.#object.call("imageBlockTransfer", { imageBlockNumber: block, imageBlockValue });
    } catch (error) {
      // A refused block is missing still, and is sent again within the limit.
      if (!(error instanceof SessionError)) throw error;
    }
  }
}

const RESUMABLE: ReadonlySet<string> = new Set([
  "initiated",
  "verificationInitiated",
  "verificationSuccessful",
  "verificationFailed",
]);
const VERIFIED: ReadonlySet<string> = new Set(["verificationInitiated", "verificationSuccessful"]);

/** Which image a meter was given by us last, as far as that is remembered. */
export async function givenImage(on: OperationSession): Promise<string | undefined> {
  return ((await on.memory.load(TOPIC)) as Transfer | undefined)?.sha384;
}

/** Nothing is under way with the meter any more. */
export async function forgetImage(on: OperationSession): Promise<void> {
  await on.memory.save(TOPIC, undefined);
}
