export { constantTimeEqual } from "./constant-time.ts";
export { nodeCiphers } from "./crypto/ciphers.ts";
export { nodeHashes, nodeRandom } from "./crypto/hashes.ts";
export { nodeKeyWrap } from "./crypto/key-wrap.ts";
export { SecretKey } from "./secret-key.ts";
export { METER_SERIAL_SETTINGS, openSerial, parseSerialSettings, type SerialSettings } from "./serial.ts";
export { connectTcp, type TcpTarget } from "./tcp.ts";
export { TRANSPORT_ERROR_CODES, TransportError, type TransportErrorCode } from "./transport-error.ts";
