export { ACSE_TAGS, type AcseApdu, acseApdu } from "./acse/acse-apdu.ts";
export { type Aare, type Aarq, ASSOCIATION_RESULTS, type Diagnostic } from "./acse/association.ts";
export {
  APPLICATION_CONTEXTS,
  type ApplicationContextName,
  MECHANISMS,
  type MechanismName,
} from "./acse/names.ts";
export type { Rlre, Rlrq } from "./acse/release.ts";
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
export type { LinkFacts } from "./link/assembler.ts";
export { frameCheck, p1Check } from "./link/crc.ts";
export { type Fault, LINK_ERROR_CODES, type LinkErrorCode } from "./link/fault.ts";
export { encodeHdlc, type HdlcFields, type HdlcFrame, UNNUMBERED_INFORMATION } from "./link/hdlc.ts";
export { type LinkFrame, LinkScanner, type ScanEvent } from "./link/scanner.ts";
export { encodeWrapper, WRAPPER_HEADER_BYTES } from "./link/wrapper.ts";
export { formatObis, type ObisCode, obis, obisFromOctets, obisOctets, parseObis } from "./obis/code.ts";
export { QUANTITY_UNITS, type Quantity, quantityOf } from "./obis/quantity.ts";
export { UNIT_SYMBOLS, unitNumber, unitSymbol } from "./obis/unit.ts";
export { obisInWords } from "./obis/words.ts";
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
export type { BodyKind, MeterObject } from "./telegram/body.ts";
export { BUILT_IN_LAYOUT_FILES, BUILT_IN_LAYOUTS } from "./telegram/built-in-layouts.ts";
export type { TelegramCiphers } from "./telegram/decipher.ts";
export { collectOutcomes, type DecodedTelegrams, decodeTelegrams } from "./telegram/decode.ts";
export { TelegramDecoder, type TelegramOptions, type TelegramOutcome } from "./telegram/decoder.ts";
export { weaknessOf } from "./telegram/key-hygiene.ts";
export { type KeyRing, keysByTitle, keysForAll, type MeterKeys } from "./telegram/keys.ts";
export type { Layout, LayoutColumn, LayoutMatch, LayoutScale } from "./telegram/layout.ts";
export { type LayoutFile, parseLayoutFile } from "./telegram/layout-file.ts";
export { MAKERS, type Maker, makerOf } from "./telegram/maker.ts";
export {
  createTelegramMemory,
  type KeptTelegramMemory,
  type Observation,
  parseTelegramMemory,
  type Recollection,
  type TelegramMemory,
  type TelegramMemorySnapshot,
} from "./telegram/memory.ts";
export type { RawValue, Reading, ReadingValue } from "./telegram/reading.ts";
export { type Refusal, TELEGRAM_ERROR_CODES, type TelegramErrorCode } from "./telegram/refusal.ts";
export { type Authentication, type SecurityFacts, securityInWords } from "./telegram/security-facts.ts";
export type { Telegram, TelegramMeter } from "./telegram/telegram.ts";
export { TELEGRAM_WARNING_CODES, type TelegramWarning, type TelegramWarningCode } from "./telegram/warning.ts";
export { type Apdu, apdu, type PlainApdu } from "./xdlms/apdu.ts";
