import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";

/** G3-PLC MAC layer counters: class_id 90, version 1 (Blue Book 4.13.3). */
export const G3MacLayerCounters = interfaceClass({
  id: 90,
  version: 1,
  name: "G3-PLC MAC layer counters",
  attributes: {
    txDataPacketCount: attribute(2, d.doubleLongUnsigned),
    rxDataPacketCount: attribute(3, d.doubleLongUnsigned),
    txCommandPacketCount: attribute(4, d.doubleLongUnsigned),
    rxCommandPacketCount: attribute(5, d.doubleLongUnsigned),
    csmaFailCount: attribute(6, d.doubleLongUnsigned),
    csmaNoAckCount: attribute(7, d.doubleLongUnsigned),
    badCrcCount: attribute(8, d.doubleLongUnsigned),
    txDataBroadcastCount: attribute(9, d.doubleLongUnsigned),
    rxDataBroadcastCount: attribute(10, d.doubleLongUnsigned),
  },
  methods: { reset: method(1) },
});

const neighbour = d.structure({
  shortAddress: d.longUnsigned,
  payloadModulationScheme: d.boolean,
  toneMap: d.bitString,
  modulation: d.openEnumeration({ robust: 0, dbpskOrBpsk: 1, dqpskOrQpsk: 2, d8pskOr8psk: 3, qam16: 4 }),
  txGain: d.integer,
  txResolution: d.openEnumeration({ "6dB": 0, "3dB": 1 }),
  txCoefficients: d.bitString,
  linkQuality: d.unsigned,
  phaseDifferential: d.integer,
  toneMapResponseValidTime: d.unsigned,
  neighbourValidTime: d.unsigned,
});
const posEntry = d.structure({ shortAddress: d.longUnsigned, linkQuality: d.unsigned, validTime: d.unsigned });

const attributesFrom1 = {
  shortAddress: attribute(2, d.longUnsigned),
  routeCostToCoordinator: attribute(3, d.longUnsigned),
  panId: attribute(4, d.longUnsigned),
  keyTable: attribute(5, d.array(d.structure({ keyId: d.unsigned, key: d.octetString }))),
  frameCounter: attribute(6, d.doubleLongUnsigned),
  toneMask: attribute(7, d.bitString),
  toneMapResponseTimeToLive: attribute(8, d.unsigned),
  maxFrameRetries: attribute(9, d.unsigned),
  neighbourTableEntryTimeToLive: attribute(10, d.unsigned),
  neighbourTable: attribute(11, d.array(neighbour)),
  highPriorityWindowSize: attribute(12, d.unsigned),
  csmaFairnessLimit: attribute(13, d.unsigned),
  beaconRandomizationWindowLength: attribute(14, d.unsigned),
  macA: attribute(15, d.unsigned),
  macK: attribute(16, d.unsigned),
  minContentionWindowAttempts: attribute(17, d.unsigned),
  cenelecLegacyMode: attribute(18, d.unsigned),
  fccLegacyMode: attribute(19, d.unsigned),
  maxBackoffExponent: attribute(20, d.unsigned),
  maxCsmaBackoffs: attribute(21, d.unsigned),
  minBackoffExponent: attribute(22, d.unsigned),
};
const attributesFrom2 = {
  ...attributesFrom1,
  broadcastMaxContentionWindowEnabled: attribute(23, d.boolean),
  transmitAttenuation: attribute(24, d.unsigned),
  posTable: attribute(25, d.array(posEntry)),
};
const attributesFrom3 = { ...attributesFrom2, duplicateDetectionTimeToLive: attribute(26, d.unsigned) };
const attributesFrom4 = {
  ...attributesFrom3,
  posRecentEntryThreshold: attribute(27, d.unsigned),
  posRecentEntries: attribute(28, d.longUnsigned),
  preambleLength: attribute(29, d.unsigned),
};
const methods = { getNeighbourTableEntry: method(1, d.longUnsigned, d.array(neighbour)) };
const methodsFrom3 = { ...methods, getPosTableEntry: method(2, d.longUnsigned, d.array(posEntry)) };
const name = "G3-PLC MAC setup";

/** G3-PLC MAC setup: class_id 91, version 1 (Blue Book 5, previous versions). */
export const G3MacSetupV1 = interfaceClass({ id: 91, version: 1, name, attributes: attributesFrom1, methods });
/** G3-PLC MAC setup, version 2: the table of who can be heard. */
export const G3MacSetupV2 = interfaceClass({ id: 91, version: 2, name, attributes: attributesFrom2, methods });
/** G3-PLC MAC setup, version 3. */
export const G3MacSetupV3 = interfaceClass({
  id: 91,
  version: 3,
  name,
  attributes: attributesFrom3,
  methods: methodsFrom3,
});
/** G3-PLC MAC setup, version 4 (4.13.4, edition 16). */
export const G3MacSetup = interfaceClass({
  id: 91,
  version: 4,
  name,
  attributes: attributesFrom4,
  methods: methodsFrom3,
});
