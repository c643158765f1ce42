import assert from "node:assert/strict";
import { test } from "node:test";
import { ImageTransfer } from "../cosem/classes/image-transfer.ts";
import { bitStringText } from "../data/bit-string.ts";
import { type ImageInfo, ImageReceiver, type ImageTransferParts, serveImageTransfer } from "./image-transfer.ts";
import { askFor } from "./testing.test.ts";

const IDENTIFIER = Uint8Array.of(1, 2, 3);
const IMAGE = Uint8Array.from({ length: 250 }, (_, at) => at);
const info: ImageInfo = {
  imageToActivateSize: 250,
  imageToActivateIdentification: IDENTIFIER,
  imageToActivateSignature: new Uint8Array(0),
};

function meter(parts: Partial<ImageTransferParts> = {}) {
  const receiver = new ImageReceiver({
    blockBytes: 100,
    maxImageBytes: 1000,
    verify: (_, image) => (image[0] === 0 && image[249] === 249 ? [info] : undefined),
    activate: () => true,
    ...parts,
  });
  const ask = askFor(
    ImageTransfer,
    serveImageTransfer<undefined>(() => receiver),
  );
  const block = (
    imageBlockNumber: number,
    octets = IMAGE.subarray(imageBlockNumber * 100, imageBlockNumber * 100 + 100),
  ) => ask.call("imageBlockTransfer", { imageBlockNumber, imageBlockValue: octets });
  const start = () => {
    ask.set("imageTransferEnabled", true);
    return ask.call("imageTransferInitiate", { imageIdentifier: IDENTIFIER, imageSize: 250 });
  };
  return { receiver, ask, block, start };
}

test("an image goes over in blocks of any order, is verified and activated", () => {
  const { ask, block, start } = meter();
  assert.equal(start(), "success");
  assert.equal(ask.get("imageTransferStatus"), "initiated");
  assert.equal(block(2), "success");
  assert.equal(block(0), "success");
  assert.equal(bitStringText(ask.get("imageTransferredBlocksStatus") as never), "101");
  assert.equal(ask.get("imageFirstNotTransferredBlockNumber"), 1);
  assert.equal(ask.call("imageVerify"), "other-reason", "a block is missing");
  assert.equal(block(1), "success");
  assert.equal(ask.get("imageFirstNotTransferredBlockNumber"), 3);
  assert.equal(ask.call("imageVerify"), "success");
  assert.equal(ask.get("imageTransferStatus"), "verificationSuccessful");
  assert.deepEqual(ask.get("imageToActivateInfo"), [info]);
  assert.equal(ask.call("imageActivate"), "success");
  assert.equal(ask.get("imageTransferStatus"), "activationSuccessful");
});

test("nothing is taken before it is enabled and initiated, and nothing too large", () => {
  const { ask, block } = meter();
  assert.equal(block(0), "temporary-failure");
  assert.equal(ask.call("imageTransferInitiate", { imageIdentifier: IDENTIFIER, imageSize: 250 }), "other-reason");
  ask.set("imageTransferEnabled", true);
  for (const imageSize of [0, 1001, 0xffffffff])
    assert.equal(ask.call("imageTransferInitiate", { imageIdentifier: IDENTIFIER, imageSize }), "other-reason");
  assert.equal(ask.call("imageVerify"), "other-reason");
  assert.equal(ask.call("imageActivate"), "other-reason");
});

test("a block must have its length and say the same when it comes again", () => {
  const { block, start } = meter();
  start();
  assert.equal(block(0, IMAGE.subarray(0, 99)), "other-reason");
  assert.equal(block(2, IMAGE.subarray(0, 100)), "other-reason");
  assert.equal(block(3), "other-reason");
  assert.equal(block(0), "success");
  assert.equal(block(0), "success");
  assert.equal(block(0, new Uint8Array(100).fill(9)), "other-reason");
});

test("a wrong image fails its verification and cannot be activated; initiating begins anew", () => {
  const { ask, block, start } = meter();
  start();
  block(0, new Uint8Array(100).fill(7));
  block(1);
  block(2);
  assert.equal(ask.call("imageActivate"), "other-reason");
  assert.equal(ask.get("imageTransferStatus"), "verificationFailed");
  assert.equal(start(), "success");
  assert.equal(ask.get("imageFirstNotTransferredBlockNumber"), 0);
});

test("a meter that needs time says so until it has decided", () => {
  const { receiver, ask, block, start } = meter({ verify: () => "pending", activate: () => "pending" });
  start();
  for (const number of [0, 1, 2]) block(number);
  assert.equal(ask.call("imageVerify"), "temporary-failure");
  assert.equal(ask.get("imageTransferStatus"), "verificationInitiated");
  assert.equal(ask.call("imageVerify"), "temporary-failure");
  receiver.verified([info]);
  assert.equal(ask.call("imageActivate"), "temporary-failure");
  assert.equal(ask.get("imageTransferStatus"), "activationInitiated");
  // Verified again meanwhile, it would be activated twice.
  assert.equal(ask.call("imageVerify"), "temporary-failure");
  assert.equal(ask.get("imageTransferStatus"), "activationInitiated");
  receiver.activated(false);
  assert.equal(ask.get("imageTransferStatus"), "activationFailed");
  ask.set("imageTransferEnabled", false);
  assert.equal(ask.get("imageTransferStatus"), "notInitiated");
});
