export { concatBytes, equalBytes, fromHex, NO_BYTES, toHex } from "./bytes.ts";
export { c } from "./codec/c.ts";
export type { ChoiceOf, Variants } from "./codec/choice.ts";
export { type Codec, decode, decodeFirst, encode, type Infer } from "./codec/codec.ts";
export { MAX_DEPTH, Reader } from "./codec/reader.ts";
export { minimumBytes, type Shape } from "./codec/shape.ts";
export type { Fields, StructOf } from "./codec/struct.ts";
export { Writer } from "./codec/writer.ts";
export { type BitString, bitString, bitStringText, hasBit } from "./data/bit-string.ts";
export { d } from "./data/d.ts";
export { data, dataTypeOf } from "./data/data.ts";
export {
  CLOCK_STATUS,
  type CosemDate,
  type CosemTime,
  cosemDate,
  cosemTime,
  DAY_OF_MONTH,
  type DateTime,
  dateOctets,
  dateTime,
  dateTimeAt,
  dateTimeOctets,
  instantOf,
  MONTH,
  timeOctets,
} from "./data/date-time.ts";
export type { DataChoiceOf, DataCodec } from "./data/typed.ts";
export {
  type CompactArray,
  DATA_TAGS,
  type Data,
  type DataType,
  NULL_DATA,
  type TypeDescription,
} from "./data/value.ts";
export { DecodeError, DLMS_ERROR_CODES, DlmsError, type DlmsErrorCode } from "./errors.ts";
export {
  initializationVector,
  type ProtectionFacts,
  type ProtectionKeys,
  protectContent,
  readContentHeader,
  type Unprotected,
  unprotectContent,
} from "./security/content.ts";
export { readSecurityControl, type SecurityControl, securityControlOctet } from "./security/control.ts";
export {
  type ProtectedApdu,
  parseProtectedApdu,
  protectApdu,
  readProtectedApdu,
  unprotectApdu,
} from "./security/envelope.ts";
export { CHALLENGE_BYTES, gmacReply, hashReply, verifyGmacReply } from "./security/hls.ts";
export type { Ciphers, Hashes, KeyWrap, RandomOctets } from "./security/ports.ts";
export { type SoftwareKey, softwareCiphers, softwareKey } from "./security/software-aes.ts";
export {
  IV_BYTES,
  isSecuritySuiteId,
  MAX_INVOCATION_COUNTER,
  SECURITY_SUITES,
  type SecuritySuiteId,
  TAG_BYTES,
} from "./security/suites.ts";
export {
  GENERAL_TAGS,
  type ProtectionForm,
  plainTagOf,
  protectedTag,
  protectionFormOf,
  SERVICE_TAGS,
} from "./security/tags.ts";
export { manufacturerOf, type SystemTitle, systemTitle, systemTitleCodec, systemTitleText } from "./system-title.ts";
export { type Apdu, apdu, type PlainApdu } from "./xdlms/apdu.ts";
