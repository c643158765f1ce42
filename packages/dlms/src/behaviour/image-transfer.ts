import { equalBytes, NO_BYTES } from "../bytes.ts";
import { ImageTransfer } from "../cosem/classes/image-transfer.ts";
import { type AccessRefusal, refuse } from "../cosem/refusal.ts";
import type { ServeContext, ServedClass } from "../cosem/served.ts";
import { type BitString, setBit } from "../data/bit-string.ts";

/** One image that the meter found in what was transferred. */
export interface ImageInfo {
  readonly imageToActivateSize: number;
  readonly imageToActivateIdentification: Uint8Array;
  readonly imageToActivateSignature: Uint8Array;
}

/** image_transfer_status (Blue Book 4.4.6). */
export type ImageStatus =
  | "notInitiated"
  | "initiated"
  | "verificationInitiated"
  | "verificationSuccessful"
  | "verificationFailed"
  | "activationInitiated"
  | "activationSuccessful"
  | "activationFailed";

/** What an image transfer is put together from. */
export interface ImageTransferParts {
  /** Octets of a block. */
  readonly blockBytes: number;
  /** Octets of the largest image that is taken. */
  readonly maxImageBytes: number;
  /**
   * Looks at a complete image. What it holds; "pending" where the answer comes later through `verified`; undefined where
   * it is none of this meter's.
   */
  verify(identifier: Uint8Array, image: Uint8Array): readonly ImageInfo[] | "pending" | undefined;
  /** Takes a verified image into use; "pending" where the answer comes later through `activated`. */
  activate(identifier: Uint8Array, image: Uint8Array): boolean | "pending";
}

/**
 * The transfer of a firmware image to a meter (class 18).
 *
 * States are those of image_transfer_status. Blocks are taken once initiated, in any order, also twice when equal, until
 * verification has succeeded. An image is only verified when it is complete and only activated when it is verified:
 * activation in another state verifies first. Initiating begins anew from every state; disabling stops everything.
 */
export class ImageReceiver {
  readonly #parts: ImageTransferParts;
  #enabled = false;
  #status: ImageStatus = "notInitiated";
  #identifier: Uint8Array = NO_BYTES;
  #image: Uint8Array = NO_BYTES;
  #received = new Uint8Array(0);
  #images: readonly ImageInfo[] = [];

  constructor(parts: ImageTransferParts) {
    this.#parts = parts;
  }

  get enabled(): boolean {
    return this.#enabled;
  }

  /** image_transfer_enabled: false forgets what was transferred. */
  set enabled(enabled: boolean) {
    this.#enabled = enabled;
    if (!enabled) this.#begin(NO_BYTES, 0, "notInitiated");
  }

  get status(): ImageStatus {
    return this.#status;
  }

  get blockBytes(): number {
    return this.#parts.blockBytes;
  }

  get images(): readonly ImageInfo[] {
    return this.#images;
  }

  get #blocks(): number {
    return Math.ceil(this.#image.length / this.#parts.blockBytes);
  }

  /** image_transferred_blocks_status: bit n is block n. */
  get blocksStatus(): BitString {
    const bytes = new Uint8Array(Math.ceil(this.#blocks / 8));
    for (const [block, got] of this.#received.entries()) if (got === 1) setBit(bytes, block);
    return { length: this.#blocks, bytes };
  }

  /** image_first_not_transferred_block_number: the count of blocks when none is missing. */
  get firstNotTransferred(): number {
    const missing = this.#received.indexOf(0);
    return missing === -1 ? this.#blocks : missing;
  }

  initiate(identifier: Uint8Array, bytes: number): AccessRefusal | undefined {
    if (!this.#enabled || bytes === 0 || bytes > this.#parts.maxImageBytes) return refuse("other-reason");
    this.#begin(identifier.slice(), bytes, "initiated");
    return undefined;
  }

  #begin(identifier: Uint8Array, bytes: number, status: ImageStatus): void {
    this.#identifier = identifier;
    this.#image = new Uint8Array(bytes);
    this.#received = new Uint8Array(Math.ceil(bytes / this.#parts.blockBytes));
    this.#images = [];
    this.#status = status;
  }

  /** image_block_transfer. A block that comes again must say the same. */
  block(number: number, octets: Uint8Array): AccessRefusal | undefined {
    if (!this.#enabled || !TAKES_BLOCKS.includes(this.#status)) return refuse("temporary-failure");
    const start = number * this.#parts.blockBytes;
    const expected = Math.min(this.#parts.blockBytes, this.#image.length - start);
    if (number >= this.#blocks || octets.length !== expected) return refuse("other-reason");
    if (this.#received[number] === 1)
      return equalBytes(this.#image.subarray(start, start + expected), octets) ? undefined : refuse("other-reason");
    this.#image.set(octets, start);
    this.#received[number] = 1;
    this.#status = "initiated";
    return undefined;
  }

  verify(): AccessRefusal | undefined {
    if (!this.#enabled || this.#status === "notInitiated" || this.#received.includes(0)) return refuse("other-reason");
    if (this.#status === "verificationInitiated" || this.#status === "activationInitiated")
      return refuse("temporary-failure");
    this.#status = "verificationInitiated";
    const images = this.#parts.verify(this.#identifier, this.#image);
    if (images === "pending") return refuse("temporary-failure");
    this.verified(images);
    return images === undefined ? refuse("other-reason") : undefined;
  }

  /** The outcome of a verification that took its time. */
  verified(images: readonly ImageInfo[] | undefined): void {
    if (this.#status !== "verificationInitiated") return;
    this.#images = images ?? [];
    this.#status = images === undefined ? "verificationFailed" : "verificationSuccessful";
  }

  activate(): AccessRefusal | undefined {
    if (this.#status === "activationInitiated") return refuse("temporary-failure");
    if (this.#status !== "verificationSuccessful") {
      const refusal = this.verify();
      if (refusal !== undefined) return refusal;
    }
    this.#status = "activationInitiated";
    const done = this.#parts.activate(this.#identifier, this.#image);
    if (done === "pending") return refuse("temporary-failure");
    this.activated(done);
    return done ? undefined : refuse("other-reason");
  }

  /** The outcome of an activation that took its time. */
  activated(done: boolean): void {
    if (this.#status === "activationInitiated") this.#status = done ? "activationSuccessful" : "activationFailed";
  }
}

const TAKES_BLOCKS: readonly ImageStatus[] = ["initiated", "verificationFailed"];

/** Serves class 18 from the image transfer of a meter. */
export function serveImageTransfer<State>(
  receiverOf: (state: State, context: ServeContext) => ImageReceiver,
): ServedClass<State> {
  return ImageTransfer.serve<State>({
    get: {
      imageBlockSize: (state, context) => receiverOf(state, context).blockBytes,
      imageTransferredBlocksStatus: (state, context) => receiverOf(state, context).blocksStatus,
      imageFirstNotTransferredBlockNumber: (state, context) => receiverOf(state, context).firstNotTransferred,
      imageTransferEnabled: (state, context) => receiverOf(state, context).enabled,
      imageTransferStatus: (state, context) => receiverOf(state, context).status,
      imageToActivateInfo: (state, context) => receiverOf(state, context).images,
    },
    set: {
      imageTransferEnabled: (enabled, state, context) => {
        receiverOf(state, context).enabled = enabled;
      },
    },
    call: {
      imageTransferInitiate: ({ imageIdentifier, imageSize }, state, context) =>
        receiverOf(state, context).initiate(imageIdentifier, imageSize),
      imageBlockTransfer: ({ imageBlockNumber, imageBlockValue }, state, context) =>
        receiverOf(state, context).block(imageBlockNumber, imageBlockValue),
      imageVerify: (_, state, context) => receiverOf(state, context).verify(),
      imageActivate: (_, state, context) => receiverOf(state, context).activate(),
    },
  });
}
