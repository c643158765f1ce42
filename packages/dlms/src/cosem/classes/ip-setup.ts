import { d } from "../../data/d.ts";
import { attribute, interfaceClass, method } from "../interface-class.ts";
import { logicalNameData } from "../logical-name-data.ts";
import { noParameter } from "../no-parameter.ts";

/** TCP-UDP setup: class_id 41, version 0 (Blue Book 4.9.1). */
export const TcpUdpSetup = interfaceClass({
  id: 41,
  version: 0,
  name: "TCP-UDP setup",
  attributes: {
    port: attribute(2, d.longUnsigned),
    ipReference: attribute(3, logicalNameData),
    maximumSegmentSize: attribute(4, d.longUnsigned),
    numberOfSimultaneousConnections: attribute(5, d.unsigned),
    /** Seconds; 0 for never. */
    inactivityTimeOut: attribute(6, d.longUnsigned),
  },
});

/** An IPv4 address as the number of its four octets, most significant first. */
const ipv4Address = d.doubleLongUnsigned;

/** IPv4 setup: class_id 42, version 0 (Blue Book 4.9.2). */
export const Ipv4Setup = interfaceClass({
  id: 42,
  version: 0,
  name: "IPv4 setup",
  methodOffset: 0x60,
  attributes: {
    dataLinkLayerReference: attribute(2, logicalNameData),
    ipAddress: attribute(3, ipv4Address),
    multicastIpAddress: attribute(4, d.array(ipv4Address)),
    ipOptions: attribute(
      5,
      d.array(d.structure({ ipOptionType: d.unsigned, ipOptionLength: d.unsigned, ipOptionData: d.octetString })),
    ),
    subnetMask: attribute(6, ipv4Address),
    gatewayIpAddress: attribute(7, ipv4Address),
    useDhcpFlag: attribute(8, d.boolean),
    primaryDnsAddress: attribute(9, ipv4Address),
    secondaryDnsAddress: attribute(10, ipv4Address),
  },
  methods: {
    addMulticastIpAddress: method(1, ipv4Address),
    deleteMulticastIpAddress: method(2, ipv4Address),
    getNumberOfMulticastIpAddresses: method(3, noParameter, d.longUnsigned),
  },
});

const addressKind = d.openEnumeration({ unicast: 0, multicast: 1, gateway: 2 });
const typedAddress = d.structure({ ipv6AddressType: addressKind, ipv6Address: d.octetString });

/** IPv6 setup: class_id 48, version 0 (Blue Book 4.9.3). Addresses are sixteen octets. */
export const Ipv6Setup = interfaceClass({
  id: 48,
  version: 0,
  name: "IPv6 setup",
  methodOffset: 0x60,
  attributes: {
    dataLinkLayerReference: attribute(2, logicalNameData),
    addressConfigMode: attribute(3, d.openEnumeration({ auto: 0, dhcpv6: 1, manual: 2, neighbourDiscovery: 3 })),
    unicastIpv6Addresses: attribute(4, d.array(d.octetString)),
    multicastIpv6Addresses: attribute(5, d.array(d.octetString)),
    gatewayIpv6Addresses: attribute(6, d.array(d.octetString)),
    primaryDnsAddress: attribute(7, d.octetString),
    secondaryDnsAddress: attribute(8, d.octetString),
    trafficClass: attribute(9, d.unsigned),
    /** Retries; milliseconds between them; seconds between router solicitations. */
    neighborDiscoverySetup: attribute(
      10,
      d.array(
        d.structure({
          rsMaxRetry: d.unsigned,
          rsRetryWaitTime: d.longUnsigned,
          raSendPeriod: d.doubleLongUnsigned,
        }),
      ),
    ),
  },
  methods: { addIpv6Address: method(1, typedAddress), removeIpv6Address: method(2, typedAddress) },
});

/** MAC address setup: class_id 43, version 0 (Blue Book 4.9.4). */
export const MacAddressSetup = interfaceClass({
  id: 43,
  version: 0,
  name: "MAC address setup",
  attributes: { macAddress: attribute(2, d.octetString) },
});

const pppOptions = d.array(d.structure({ optionType: d.unsigned, optionLength: d.unsigned, optionData: d.any }));

/** PPP setup: class_id 44, version 0 (Blue Book 4.9.5). */
export const PppSetup = interfaceClass({
  id: 44,
  version: 0,
  name: "PPP setup",
  attributes: {
    phyReference: attribute(2, logicalNameData),
    lcpOptions: attribute(3, pppOptions),
    ipcpOptions: attribute(4, pppOptions),
    /** Null-data without authentication; user and password, or another structure, as the LCP options say. */
    pppAuthentication: attribute(5, d.any),
  },
});

/** SMTP setup: class_id 46, version 0 (Blue Book 4.9.6). */
export const SmtpSetup = interfaceClass({
  id: 46,
  version: 0,
  name: "SMTP setup",
  attributes: {
    serverPort: attribute(2, d.longUnsigned),
    userName: attribute(3, d.octetString),
    loginPassword: attribute(4, d.octetString),
    serverAddress: attribute(5, d.octetString),
    senderAddress: attribute(6, d.octetString),
  },
});

/** NTP setup: class_id 100, version 0 (Blue Book 4.9.7). */
export const NtpSetup = interfaceClass({
  id: 100,
  version: 0,
  name: "NTP setup",
  attributes: {
    activated: attribute(2, d.boolean),
    serverAddress: attribute(3, d.octetString),
    serverPort: attribute(4, d.longUnsigned),
    authenticationMethod: attribute(5, d.openEnumeration({ noSecurity: 0, sharedSecrets: 1, autokeyIff: 2 })),
    authenticationKeys: attribute(6, d.array(d.structure({ keyId: d.doubleLongUnsigned, key: d.octetString }))),
    /** The client's key for the autokey scheme. */
    clientKey: attribute(7, d.octetString),
  },
  methods: {
    synchronize: method(1),
    addAuthenticationKey: method(2, d.structure({ keyId: d.doubleLongUnsigned, key: d.octetString })),
    deleteAuthenticationKey: method(3, d.doubleLongUnsigned),
  },
});
