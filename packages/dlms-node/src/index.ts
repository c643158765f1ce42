export type { ApduConnection, ConnectionSettings } from "./apdu-connection.ts";
export type { ApduServer, Transmit, TransmitLine } from "./apdu-server.ts";
export { constantTimeEqual } from "./constant-time.ts";
export { nodeCiphers, octetKeyCiphers } from "./crypto/ciphers.ts";
export { importPrivateKey, nodeCurves, publicKeyOctets } from "./crypto/curves.ts";
export { nodeHashes, nodeRandom } from "./crypto/hashes.ts";
export { nodeKeyWrap } from "./crypto/key-wrap.ts";
export { nodePlatform } from "./crypto/platform.ts";
export type { GatewaySettings } from "./gateway-route.ts";
export { type GatewayConnection, gatewayServer } from "./gateway-server.ts";
export { connectHdlc, HdlcConnection, type HdlcSettings, type HdlcTarget } from "./hdlc-client.ts";
export { connectHdlcSerial, HDLC_SERIAL_SETTINGS, type SerialTarget } from "./hdlc-serial.ts";
export {
  type HdlcLineOptions,
  type HdlcListenerOptions,
  type HdlcNotify,
  listenHdlc,
  serveHdlc,
} from "./hdlc-server.ts";
export { connectMbus, MbusConnection, type MbusSettings } from "./mbus-client.ts";
export { type MbusLineOptions, serveMbus } from "./mbus-server.ts";
export { awaitModeE, type OpenedPort, openModeE, type SetLine } from "./mode-e-opening.ts";
export {
  listenForPushesTcp,
  listenForPushesUdp,
  type PushDestination,
  type PushListener,
  type PushListenerOptions,
  type ReceivedPush,
  sendPush,
} from "./push-transport.ts";
export { SecretKey } from "./secret-key.ts";
export {
  METER_SERIAL_SETTINGS,
  openSerial,
  parseSerialSettings,
  type SerialAccess,
  type SerialSettings,
  setSerial,
} from "./serial.ts";
export { serverEnd } from "./server-end.ts";
export { connectTcp, onOctets, type TcpTarget } from "./tcp.ts";
export { type Listener, listenTcp, type TcpListenerOptions } from "./tcp-listener.ts";
export {
  connectTls,
  listenTls,
  TLS_GROUPS,
  type TlsIdentity,
  type TlsListener,
  type TlsListenerOptions,
  type TlsTarget,
  tlsIdentityIn,
} from "./tls.ts";
export { TRANSPORT_ERROR_CODES, TransportError, type TransportErrorCode } from "./transport-error.ts";
export { connectWrapperUdp, UdpConnection, type UdpTarget } from "./udp-client.ts";
export { listenWrapperUdp, type UdpListenerOptions } from "./udp-server.ts";
export { connectWrapper, type WrapperAddresses, WrapperConnection, type WrapperTarget } from "./wrapper-client.ts";
export { type WrapperApdu, WrapperFrames } from "./wrapper-frames.ts";
export { listenWrapper, type WrapperListenerOptions } from "./wrapper-server.ts";
export { type TrunkTarget, WrapperTrunk, type WrapperTrunkSettings } from "./wrapper-trunk.ts";
