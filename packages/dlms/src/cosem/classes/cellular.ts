import { d } from "../../data/d.ts";
import { attribute, interfaceClass } from "../interface-class.ts";

const qualityOfServiceElement = d.structure({
  precedence: d.unsigned,
  delay: d.unsigned,
  reliability: d.unsigned,
  peakThroughput: d.unsigned,
  meanThroughput: d.unsigned,
});

/** GPRS modem setup: class_id 45, version 0 (Blue Book 4.7.7). */
export const GprsModemSetup = interfaceClass({
  id: 45,
  version: 0,
  name: "GPRS modem setup",
  attributes: {
    apn: attribute(2, d.octetString),
    pinCode: attribute(3, d.longUnsigned),
    qualityOfService: attribute(
      4,
      d.structure({ default: qualityOfServiceElement, requested: qualityOfServiceElement }),
    ),
  },
});

const registration = {
  operator: attribute(2, d.visibleString),
  status: attribute(
    3,
    d.openEnumeration({
      notRegistered: 0,
      homeNetwork: 1,
      searching: 2,
      denied: 3,
      unknown: 4,
      roaming: 5,
    }),
  ),
  circuitSwitchedAttachment: attribute(4, d.openEnumeration({ inactive: 0, incomingCall: 1, active: 2 })),
  packetSwitchedStatus: attribute(
    5,
    d.openEnumeration({
      inactive: 0,
      gprs: 1,
      edge: 2,
      umts: 3,
      hsdpa: 4,
      lte: 5,
      cdma: 6,
      lteCatM1: 7,
      lteCatNb1: 8,
      lteCatNb2: 9,
    }),
  ),
};
const captureTime = attribute(8, d.dateTime);
const name = "GSM diagnostic";

/** GSM diagnostic: class_id 47, version 0 (Blue Book 4.7.8, edition 11). */
export const GsmDiagnosticV0 = interfaceClass({
  id: 47,
  version: 0,
  name,
  attributes: {
    ...registration,
    cellInfo: attribute(
      6,
      d.structure({
        cellId: d.longUnsigned,
        locationId: d.longUnsigned,
        signalQuality: d.unsigned,
        bitErrorRate: d.unsigned,
      }),
    ),
    adjacentCells: attribute(7, d.array(d.structure({ cellId: d.longUnsigned, signalQuality: d.unsigned }))),
    captureTime,
  },
});

const attributesFrom1 = {
  ...registration,
  cellInfo: attribute(
    6,
    d.structure({
      cellId: d.doubleLongUnsigned,
      locationId: d.longUnsigned,
      signalQuality: d.unsigned,
      bitErrorRate: d.unsigned,
      mobileCountryCode: d.longUnsigned,
      mobileNetworkCode: d.longUnsigned,
      channelNumber: d.doubleLongUnsigned,
    }),
  ),
  adjacentCells: attribute(7, d.array(d.structure({ cellId: d.doubleLongUnsigned, signalQuality: d.unsigned }))),
  captureTime,
};

/** GSM diagnostic, version 1 (edition 13): cells of four octets. */
export const GsmDiagnosticV1 = interfaceClass({ id: 47, version: 1, name, attributes: attributesFrom1 });
/** GSM diagnostic, version 2 (edition 15): more technologies. */
export const GsmDiagnostic = interfaceClass({ id: 47, version: 2, name, attributes: attributesFrom1 });
