import { d } from "../../data/d.ts";
import { attribute, interfaceClass } from "../interface-class.ts";

const routingConfiguration = d.structure({
  netTraversalTime: d.unsigned,
  routingTableEntryTimeToLive: d.longUnsigned,
  kr: d.unsigned,
  km: d.unsigned,
  kc: d.unsigned,
  kq: d.unsigned,
  kh: d.unsigned,
  krt: d.unsigned,
  routeRequestRetries: d.unsigned,
  routeRequestWait: d.unsigned,
  blacklistTableEntryTimeToLive: d.longUnsigned,
  unicastRouteRequestEnable: d.boolean,
  routeLengthCostEnabled: d.boolean,
  addReverseLinkCost: d.unsigned,
});
const route = d.structure({
  destinationAddress: d.longUnsigned,
  nextHopAddress: d.longUnsigned,
  routeCost: d.longUnsigned,
  hopCount: d.unsigned,
  weakLinkCount: d.unsigned,
  validTime: d.longUnsigned,
});
const contextInformation = d.structure({
  contextId: d.bitString,
  contextLength: d.unsigned,
  context: d.octetString,
  compression: d.boolean,
  validLifetime: d.longUnsigned,
});

const attributesFrom0 = {
  maxHops: attribute(2, d.unsigned),
  weakLinkQuality: attribute(3, d.unsigned),
  securityLevel: attribute(4, d.unsigned),
  prefixTable: attribute(5, d.array(d.any)),
  routingConfiguration: attribute(6, d.array(routingConfiguration)),
  broadcastLogTableEntryTimeToLive: attribute(7, d.longUnsigned),
  routingTable: attribute(8, d.array(route)),
  contextInformationTable: attribute(9, d.array(contextInformation)),
  blacklistTable: attribute(10, d.array(d.structure({ neighbourAddress: d.longUnsigned, validTime: d.longUnsigned }))),
  broadcastLogTable: attribute(
    11,
    d.array(
      d.structure({
        sourceAddress: d.longUnsigned,
        sequenceNumber: d.unsigned,
        validTime: d.longUnsigned,
      }),
    ),
  ),
  groupTable: attribute(12, d.array(d.longUnsigned)),
  maxJoinWaitTime: attribute(13, d.longUnsigned),
  pathDiscoveryTime: attribute(14, d.unsigned),
  activeKeyIndex: attribute(15, d.unsigned),
  metricType: attribute(16, d.unsigned),
};
const attributesFrom1 = {
  ...attributesFrom0,
  coordinatorShortAddress: attribute(17, d.longUnsigned),
  disableDefaultRouting: attribute(18, d.boolean),
  deviceType: attribute(19, d.openEnumeration({ panDevice: 0, panCoordinator: 1, notDefined: 2 })),
};
const attributesFrom2 = {
  ...attributesFrom1,
  defaultCoordinatorRouteEnabled: attribute(20, d.boolean),
  destinationAddressSet: attribute(21, d.array(d.longUnsigned)),
};
const attributesFrom3 = {
  ...attributesFrom2,
  lowLinkQuality: attribute(22, d.unsigned),
  highLinkQuality: attribute(23, d.unsigned),
};
const attributesFrom4 = {
  ...attributesFrom3,
  delayLowLinkQuality: attribute(24, d.longUnsigned),
  delayHighLinkQuality: attribute(25, d.longUnsigned),
  routeRequestJitterLowLinkQuality: attribute(26, d.unsigned),
  routeRequestJitterHighLinkQuality: attribute(27, d.unsigned),
  trickleDataEnabled: attribute(28, d.boolean),
  trickleLinkQualityThresholdLow: attribute(29, d.unsigned),
  trickleStep: attribute(30, d.unsigned),
  trickleImin: attribute(31, d.longUnsigned),
  trickleMaxKi: attribute(32, d.unsigned),
  trickleAdaptiveImin: attribute(33, d.boolean),
  trickleAdaptiveKi: attribute(34, d.boolean),
  clusterTrickleEnabled: attribute(35, d.boolean),
  clusterMinLinkQuality: attribute(36, d.unsigned),
  clusterTrickleK: attribute(37, d.unsigned),
  clusterRouteCostDeviation: attribute(38, d.unsigned),
  clusterTrickleI: attribute(39, d.longUnsigned),
  trickleLinkQualityThresholdHigh: attribute(40, d.unsigned),
};
const name = "G3-PLC 6LoWPAN adaptation layer setup";

/** G3-PLC 6LoWPAN adaptation layer setup: class_id 92, version 0 (Blue Book 5, previous versions). */
export const G3AdaptationLayerSetupV0 = interfaceClass({ id: 92, version: 0, name, attributes: attributesFrom0 });
/** G3-PLC 6LoWPAN adaptation layer setup, version 1. */
export const G3AdaptationLayerSetupV1 = interfaceClass({ id: 92, version: 1, name, attributes: attributesFrom1 });
/** G3-PLC 6LoWPAN adaptation layer setup, version 2. */
export const G3AdaptationLayerSetupV2 = interfaceClass({ id: 92, version: 2, name, attributes: attributesFrom2 });
/** G3-PLC 6LoWPAN adaptation layer setup, version 3. */
export const G3AdaptationLayerSetupV3 = interfaceClass({ id: 92, version: 3, name, attributes: attributesFrom3 });
/** G3-PLC 6LoWPAN adaptation layer setup, version 4 (4.13.5, edition 16). */
export const G3AdaptationLayerSetup = interfaceClass({ id: 92, version: 4, name, attributes: attributesFrom4 });
