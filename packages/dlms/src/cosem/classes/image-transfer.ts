import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";

/** Image transfer: class_id 18, version 0 (Blue Book 4.4.6). */
export const ImageTransfer = interfaceClass({
  id: 18,
  version: 0,
  name: "Image transfer",
  methodOffset: 0x40,
  attributes: {
    /** Octets. */
    imageBlockSize: attribute(2, d.doubleLongUnsigned),
    imageTransferredBlocksStatus: attribute(3, d.bitString),
    imageFirstNotTransferredBlockNumber: attribute(4, d.doubleLongUnsigned),
    imageTransferEnabled: attribute(5, d.boolean),
    imageTransferStatus: attribute(
      6,
      d.enumeration({
        notInitiated: 0,
        initiated: 1,
        verificationInitiated: 2,
        verificationSuccessful: 3,
        verificationFailed: 4,
        activationInitiated: 5,
        activationSuccessful: 6,
        activationFailed: 7,
      }),
    ),
    imageToActivateInfo: attribute(
      7,
      d.array(
        d.structure({
          imageToActivateSize: d.doubleLongUnsigned,
          imageToActivateIdentification: d.octetString,
          imageToActivateSignature: d.octetString,
        }),
      ),
    ),
  },
  methods: {
    imageTransferInitiate: method(1, d.structure({ imageIdentifier: d.octetString, imageSize: d.doubleLongUnsigned })),
    imageBlockTransfer: method(
      2,
      d.structure({ imageBlockNumber: d.doubleLongUnsigned, imageBlockValue: d.octetString }),
    ),
    imageVerify: method(3),
    imageActivate: method(4),
  },
});
