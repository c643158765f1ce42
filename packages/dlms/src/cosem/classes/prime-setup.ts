import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";

/** 61334-4-32 LLC SSCS setup: class_id 80, version 0 (Blue Book 4.12.3). */
export const LlcSscsSetup = interfaceClass({
  id: 80,
  version: 0,
  name: "61334-4-32 LLC SSCS setup",
  attributes: {
    serviceNodeAddress: attribute(2, d.longUnsigned),
    baseNodeAddress: attribute(3, d.longUnsigned),
  },
  methods: { reset: method(1) },
});

/** PRIME NB OFDM PLC physical layer counters: class_id 81, version 0 (4.12.5). */
export const PrimePhysicalLayerCounters = interfaceClass({
  id: 81,
  version: 0,
  name: "PRIME NB OFDM PLC physical layer counters",
  attributes: {
    crcIncorrectCount: attribute(2, d.longUnsigned),
    crcFailCount: attribute(3, d.longUnsigned),
    txDropCount: attribute(4, d.longUnsigned),
    rxDropCount: attribute(5, d.longUnsigned),
  },
  methods: { reset: method(1) },
});

/** PRIME NB OFDM PLC MAC setup: class_id 82, version 0 (4.12.6). */
export const PrimeMacSetup = interfaceClass({
  id: 82,
  version: 0,
  name: "PRIME NB OFDM PLC MAC setup",
  attributes: {
    /** Seconds. */
    minSwitchSearchTime: attribute(2, d.unsigned),
    maxPromotionPdu: attribute(3, d.unsigned),
    /** Seconds. */
    promotionPduTxPeriod: attribute(4, d.unsigned),
    beaconsPerFrame: attribute(5, d.unsigned),
    scpMaxTxAttempts: attribute(6, d.unsigned),
    /** Seconds. */
    controlRetransmissionTimer: attribute(7, d.unsigned),
    maxControlRetransmissions: attribute(8, d.unsigned),
  },
});

/** PRIME NB OFDM PLC MAC functional parameters: class_id 83, version 0 (4.12.7). */
export const PrimeMacFunctionalParameters = interfaceClass({
  id: 83,
  version: 0,
  name: "PRIME NB OFDM PLC MAC functional parameters",
  attributes: {
    localNodeId: attribute(2, d.long),
    localSwitchId: attribute(3, d.unsigned),
    switchId: attribute(4, d.unsigned),
    subnetworkAddress: attribute(5, d.octetString),
    state: attribute(6, d.openEnumeration({ disconnected: 0, terminal: 1, switch: 2, base: 3 })),
    /** Symbols of the shared contention period. */
    scpLength: attribute(7, d.long),
    nodeHierarchyLevel: attribute(8, d.unsigned),
    beaconSlotCount: attribute(9, d.unsigned),
    beaconRxSlot: attribute(10, d.unsigned),
    beaconTxSlot: attribute(11, d.unsigned),
    beaconRxFrequency: attribute(12, d.unsigned),
    beaconTxFrequency: attribute(13, d.unsigned),
    capabilities: attribute(14, d.longUnsigned),
  },
});

/** PRIME NB OFDM PLC MAC counters: class_id 84, version 0 (4.12.8). */
export const PrimeMacCounters = interfaceClass({
  id: 84,
  version: 0,
  name: "PRIME NB OFDM PLC MAC counters",
  attributes: {
    txDataPacketCount: attribute(2, d.doubleLongUnsigned),
    rxDataPacketCount: attribute(3, d.doubleLongUnsigned),
    txControlPacketCount: attribute(4, d.doubleLongUnsigned),
    rxControlPacketCount: attribute(5, d.doubleLongUnsigned),
    csmaFailCount: attribute(6, d.doubleLongUnsigned),
    csmaChannelBusyCount: attribute(7, d.doubleLongUnsigned),
  },
  methods: { reset: method(1) },
});

/** PRIME NB OFDM PLC MAC network administration data: class_id 85, version 0 (4.12.9). */
export const PrimeMacNetworkAdministrationData = interfaceClass({
  id: 85,
  version: 0,
  name: "PRIME NB OFDM PLC MAC network administration data",
  attributes: {
    multicastEntries: attribute(2, d.array(d.structure({ multicastId: d.integer, members: d.long }))),
    switchTable: attribute(3, d.array(d.long)),
    directTable: attribute(
      4,
      d.array(
        d.structure({
          sourceSwitchId: d.long,
          sourceNodeId: d.long,
          sourceConnectionId: d.long,
          destinationSwitchId: d.long,
          destinationNodeId: d.long,
          destinationConnectionId: d.long,
          destinationAddress: d.octetString,
        }),
      ),
    ),
    availableSwitches: attribute(
      5,
      d.array(
        d.structure({
          subnetworkAddress: d.octetString,
          localSwitchId: d.long,
          level: d.integer,
          rxLevel: d.integer,
          rxSignalToNoise: d.integer,
        }),
      ),
    ),
    phyCommunications: attribute(
      6,
      d.array(
        d.structure({
          eui: d.octetString,
          txPower: d.integer,
          txCoding: d.integer,
          rxCoding: d.integer,
          rxLevel: d.integer,
          signalToNoise: d.integer,
          txPowerModified: d.integer,
          txCodingModified: d.integer,
          rxCodingModified: d.integer,
        }),
      ),
    ),
  },
  methods: { reset: method(1) },
});

/** PRIME NB OFDM PLC applications identification: class_id 86, version 0 (4.12.10). */
export const PrimeApplicationsIdentification = interfaceClass({
  id: 86,
  version: 0,
  name: "PRIME NB OFDM PLC applications identification",
  attributes: {
    firmwareVersion: attribute(2, d.octetString),
    vendorId: attribute(3, d.longUnsigned),
    productId: attribute(4, d.longUnsigned),
  },
});
