import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { logicalNameData } from "../logical-name-data.ts";

const attributes = {
  mBusPortReference: attribute(2, logicalNameData),
  captureDefinition: attribute(
    3,
    d.array(d.structure({ dataInformationBlock: d.octetString, valueInformationBlock: d.octetString })),
  ),
  /** Seconds. */
  capturePeriod: attribute(4, d.doubleLongUnsigned),
  primaryAddress: attribute(5, d.unsigned),
  /** BCD or binary, as the companion specification says. */
  identificationNumber: attribute(6, d.doubleLongUnsigned),
  manufacturerId: attribute(7, d.longUnsigned),
  /** `version` of the M-Bus header. */
  dataHeaderVersion: attribute(8, d.unsigned),
  deviceType: attribute(9, d.unsigned),
  accessNumber: attribute(10, d.unsigned),
  status: attribute(11, d.unsigned),
  alarm: attribute(12, d.unsigned),
};

const methods = {
  /** The primary address to give the device. */
  slaveInstall: method(1, d.unsigned),
  slaveDeinstall: method(2),
  capture: method(3),
  resetAlarm: method(4),
  synchronizeClock: method(5),
  dataSend: method(
    6,
    d.array(d.structure({ dataInformationBlock: d.octetString, valueInformationBlock: d.octetString, data: d.any })),
  ),
  /** The device's key, in the clear of this method's parameter; its confidentiality is the association's. */
  setEncryptionKey: method(7, d.octetString),
  /** The device's key, encrypted under its default key, to be passed on to the device. */
  transferKey: method(8, d.octetString),
};

/** M-Bus client: class_id 72, version 0 (Blue Book 5, previous versions). */
export const MBusClientV0 = interfaceClass({
  id: 72,
  version: 0,
  name: "M-Bus client",
  methodOffset: 0x60,
  attributes,
  methods,
});

/** M-Bus client, version 1 (4.8.3). */
export const MBusClient = interfaceClass({
  id: 72,
  version: 1,
  name: "M-Bus client",
  methodOffset: 0x70,
  attributes: {
    ...attributes,
    /** The configuration field of the M-Bus header: encryption mode and count of encrypted blocks. */
    configuration: attribute(13, d.longUnsigned),
    encryptionKeyStatus: attribute(
      14,
      d.openEnumeration({
        noEncryptionKey: 0,
        encryptionKeySet: 1,
        encryptionKeyTransferred: 2,
        encryptionKeySetAndTransferred: 3,
        encryptionKeyInUse: 4,
      }),
    ),
  },
  methods,
});
