export { ACSE_TAGS, type AcseApdu, acseApdu } from "./acse/acse-apdu.ts";
export { type Aare, type Aarq, ASSOCIATION_RESULTS, type Diagnostic } from "./acse/association.ts";
export {
  APPLICATION_CONTEXTS,
  type ApplicationContextName,
  MECHANISMS,
  type MechanismName,
} from "./acse/names.ts";
export type { Rlre, Rlrq } from "./acse/release.ts";
export * from "./behaviour/index.ts";
export { concatBytes, equalBytes, fromHex, NO_BYTES, toHex } from "./bytes.ts";
export type { AccessItem, AccessOptions, AccessResult } from "./client/access-transfer.ts";
export type { ActionItem } from "./client/action-transfer.ts";
export type { AttributeAddress, MethodAddress } from "./client/ask.ts";
export {
  type AarqFields,
  type AssociationConfig,
  type ClientAuthentication,
  type ClientCiphering,
  type ClientGeneralProtection,
  PROPOSED_CONFORMANCE,
  PROPOSED_SHORT_NAME_CONFORMANCE,
} from "./client/association-config.ts";
export {
  type AssociationEffect,
  type AssociationEvent,
  type AssociationState,
  COUNTERS_PER_ASSOCIATION,
  partiesOf,
  stepAssociation,
} from "./client/association-machine.ts";
export type { BlockTransferSettings } from "./client/block-carrier.ts";
export type { RequestBlocks, SessionOptions } from "./client/conversation.ts";
export {
  type CounterStore,
  HINT_BOUNDS,
  type HintBounds,
  type HintVerdict,
  judgeCounterHint,
  type KnownCounter,
  openInStep,
  readCounterHint,
} from "./client/counter-hint.ts";
export { type DataProtectionConfig, type ProtectedObjects, protectedObjects } from "./client/data-protection.ts";
export type { ListItem } from "./client/get-transfer.ts";
export { type AssociatorCounters, localAssociator, preEstablishedAssociator } from "./client/local-associator.ts";
export type {
  AssociationStep,
  Associator,
  Cancellation,
  Exchange,
  ExchangeEvent,
  Line,
  Negotiated,
  Protection,
} from "./client/ports.ts";
export {
  PROFILE_METHODS,
  type ProfileMethod,
  type ProfileStreamOptions,
  streamProfileRange,
} from "./client/profile-range.ts";
export {
  CLOCK_COLUMN,
  entryDescriptor,
  type ProfileEntries,
  type ProfileRange,
  type ProfileRow,
  rangeDescriptor,
  readProfile,
  readProfileEntries,
  readProfileRange,
} from "./client/profile-reader.ts";
export {
  type CipheredParties,
  type FrameCounters,
  frameCountersFrom,
  localProtection,
  NO_PROTECTION,
  type OpenedResponse,
  openApdu,
  type ReceivedCounters,
  risingCountersFrom,
  sealApdu,
} from "./client/protection.ts";
export { type OpenedPush, openPush, type PushKeys } from "./client/push.ts";
export { refusalOf } from "./client/refusal.ts";
export { type Remote, remote } from "./client/remote.ts";
export { type GetItem, openSession, Session } from "./client/session.ts";
export { SessionError, type SessionErrorDetails } from "./client/session-error.ts";
export { openShortNameSession, ShortNameSession, type ShortNameSessionOptions } from "./client/short-name-session.ts";
export { c } from "./codec/c.ts";
export type { ChoiceOf, Variants } from "./codec/choice.ts";
export { type Codec, decode, decodeFirst, encode, type Infer } from "./codec/codec.ts";
export { MAX_DEPTH, Reader } from "./codec/reader.ts";
export { minimumBytes, type Shape } from "./codec/shape.ts";
export type { Fields, StructOf } from "./codec/struct.ts";
export { Writer } from "./codec/writer.ts";
export * from "./cosem/index.ts";
export { type BitString, bitString, bitStringText, hasBit } from "./data/bit-string.ts";
export { d } from "./data/d.ts";
export { data, dataTypeOf } from "./data/data.ts";
export { dataOctets, skipData } from "./data/data-octets.ts";
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
export {
  decodeProfile,
  ProfileDecoder,
  type ProfileDecoderOptions,
  type ProfileRowView,
} from "./data/profile-decoder.ts";
export { encodeProfile, type ProfileCells, type ProfileEncoding } from "./data/profile-encoder.ts";
export type { DataChoiceOf, DataCodec } from "./data/typed.ts";
export {
  type CompactArray,
  DATA_TAGS,
  type Data,
  type DataType,
  NULL_DATA,
  type TypeDescription,
} from "./data/value.ts";
export {
  DecodeError,
  DLMS_ERROR_CODES,
  DlmsError,
  type DlmsErrorCode,
  LINE_ERROR_CODES,
  type LineErrorCode,
  SESSION_ERROR_CODES,
  type SessionErrorCode,
} from "./errors.ts";
export {
  BLOCK_OVERHEAD_BYTES,
  BlockTransferMachine,
  type BlockTransferOptions,
  type BlockTransferQuirks,
  type BlockTransferStep,
  isBlock,
} from "./gbt/transfer.ts";
export {
  CLIENT_ADDRESSES,
  type HdlcServerAddress,
  readClientAddress,
  readServerAddress,
  type ServerAddressBytes,
} from "./hdlc/address.ts";
export { HdlcClient } from "./hdlc/client.ts";
export type {
  HdlcClientAction,
  HdlcClientEvent,
  HdlcClientOptions,
  HdlcQuirks,
} from "./hdlc/client-events.ts";
export { type HdlcControl, readControl as readHdlcControl } from "./hdlc/control.ts";
export { HdlcFrameStream } from "./hdlc/frame-stream.ts";
export {
  DEFAULT_HDLC_PARAMETERS,
  decodeParameters as decodeHdlcParameters,
  type HdlcParameters,
  MOST_INFORMATION_BYTES,
} from "./hdlc/parameters.ts";
export type { SegmentLimits } from "./hdlc/segments.ts";
export { HdlcServer } from "./hdlc/server.ts";
export type {
  DisconnectReason,
  HdlcPeer,
  HdlcServerAction,
  HdlcServerEvent,
  HdlcServerOptions,
} from "./hdlc/server-events.ts";
export { Assembler, type Delivery, type LinkFacts } from "./link/assembler.ts";
export { encodeBlocks } from "./link/block-transfer.ts";
export { frameCheck, p1Check } from "./link/crc.ts";
export {
  DatagramClient,
  type DatagramClientAction,
  type DatagramClientEvent,
  type DatagramClientOptions,
} from "./link/datagram-client.ts";
export {
  type DatagramPeer,
  DatagramServer,
  type DatagramServerAction,
  type DatagramServerEvent,
  type DatagramServerOptions,
} from "./link/datagram-server.ts";
export { type Fault, LINK_ERROR_CODES, type LinkErrorCode } from "./link/fault.ts";
export {
  encodeGateway,
  type GatewayAddress,
  type GatewayApdu,
  isGatewayApdu,
  readGateway,
} from "./link/gateway.ts";
export { encodeHdlc, type HdlcFields, type HdlcFrame, UNNUMBERED_INFORMATION } from "./link/hdlc.ts";
export { LineError } from "./link/line-error.ts";
export {
  MbusClient,
  type MbusClientAction,
  type MbusClientEvent,
  type MbusClientOptions,
} from "./link/mbus-client.ts";
export {
  type MbusPeer,
  MbusServer,
  type MbusServerAction,
  type MbusServerEvent,
  type MbusServerOptions,
} from "./link/mbus-server.ts";
export { BAUD_RATES, type LineSettings, OPENING_LINE, type PortIdentification } from "./link/mode-e.ts";
export {
  ModeEClient,
  type ModeEClientAction,
  type ModeEClientEvent,
  type ModeEClientOptions,
} from "./link/mode-e-client.ts";
export {
  ModeEServer,
  type ModeEServerAction,
  type ModeEServerEvent,
  type ModeEServerOptions,
} from "./link/mode-e-server.ts";
export { encodeP1 } from "./link/p1.ts";
export { joinPieces, type Piece } from "./link/pieces.ts";
export { type LinkFrame, LinkScanner, type ScanEvent } from "./link/scanner.ts";
export { encodeMbus, type MbusFields } from "./link/wired-mbus.ts";
export {
  encodeWrapper,
  readWrapperDatagram,
  WRAPPER_HEADER_BYTES,
  type WrappedApdu,
  writeWrapper,
} from "./link/wrapper.ts";
export { formatObis, type ObisCode, obis, obisFromOctets, obisOctets, parseObis } from "./obis/code.ts";
export { QUANTITY_UNITS, type Quantity, quantityOf } from "./obis/quantity.ts";
export { UNIT_SYMBOLS, unitNumber, unitSymbol } from "./obis/unit.ts";
export { describeObis, type ObisDescription, obisInWords } from "./obis/words.ts";
export { type ApduLine, apduLines } from "./print/apdu-lines.ts";
export { BUILT_IN_PROFILE_FILES, BUILT_IN_PROFILES } from "./profile/built-in-profiles.ts";
export { hdlcOptionsOf } from "./profile/hdlc-options.ts";
export {
  clientOf,
  type MeterFacts,
  type ProfileAuthentication,
  type ProfileCiphering,
  type ProfileClient,
  type ProfileHdlc,
  type ProfileObjects,
  type ProfileQuirks,
  type ProfileServices,
  type ProfileTransport,
  securityOf,
} from "./profile/meter-profile.ts";
export { resolveProfile } from "./profile/resolve-profile.ts";
export {
  type ContentContext,
  type ProtectionFacts,
  type ProtectionKeys,
  protectContent,
  readContentHeader,
  type Unprotected,
  unprotectContent,
} from "./security/content.ts";
export { readSecurityControl, type SecurityControl, securityControlOctet } from "./security/control.ts";
export {
  type DataProtectionForm,
  type DataProtectionType,
  type LayerRemoved,
  type LayerWanted,
  type ProtectedData,
  type ProtectionParameters,
  protectData,
  protectionParameters,
  unprotectData,
} from "./security/data-protection.ts";
export {
  type ProtectedApdu,
  parseProtectedApdu,
  protectApdu,
  readProtectedApdu,
  unprotectApdu,
} from "./security/envelope.ts";
export {
  GBCS_FLAGS,
  type GbcsFlag,
  type GbcsKeyUse,
  type GbcsMessage,
  gbcsKey,
  openGbcsPayload,
  parseGbcsMessage,
  verifyGbcsMac,
} from "./security/gbcs.ts";
export {
  type GeneralCipheredApdu,
  openGeneralCiphering,
  parseGeneralCiphering,
  sealGeneralCiphering,
  type UnprotectedGeneral,
} from "./security/general-ciphering.ts";
export { type GeneralHeader, generalHeaderOctets, type ReceivedGeneralHeader } from "./security/general-header.ts";
export {
  parseGeneralSigning,
  type SignedApdu,
  type Signing,
  signApdu,
  verifySignedApdu,
} from "./security/general-signing.ts";
export { gmacReply, verifyGmacReply } from "./security/hls.ts";
export {
  aesMechanism,
  type EcdsaMechanism,
  ecdsaMechanism,
  type HlsExchange,
  type HlsMechanism,
  hashMechanism,
  manufacturerMechanism,
} from "./security/hls-mechanisms.ts";
export {
  answerKeyAgreement,
  completeKeyAgreement,
  type KeyAgreement,
  type OfferedKey,
  offerKeyAgreement,
} from "./security/key-agreement.ts";
export { type DerivationInput, deriveKey, staticPartyInfo } from "./security/key-derivation.ts";
export { AGREEMENT_SCHEMES, type KeyInfo, type KeySource } from "./security/key-info.ts";
export {
  type CipheringFacts,
  type CipheringForm,
  type LayerKeys,
  type LayerParties,
  type OpenedApdu as OpenedLayers,
  openLayers,
} from "./security/layers.ts";
export type { AsymmetricKeys, GeneralKeys, GeneralSetup } from "./security/message-key.ts";
export type {
  AdditionalData,
  Ciphers,
  Curve,
  Curves,
  Hashes,
  HashName,
  KeyPair,
  KeyWrap,
  RandomOctets,
  SecurityPlatform,
  Vector,
} from "./security/ports.ts";
export { GBCS_SECURITY, type SecurityProfile, STANDARD_SECURITY } from "./security/profile.ts";
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
export {
  additionalDataLength,
  additionalDataOctets,
  vectorOctets,
  writeAdditionalData,
  writeVector,
} from "./security/vector.ts";
export {
  ACCESS_MODE,
  type AccessRule,
  fullAccess,
  type Members,
  type ObjectAccess,
  onlyReading,
  type RequiredProtection,
  readOnly,
} from "./server/access.ts";
export type { AssociationAuthentication, AssociationDefinition } from "./server/association-model.ts";
export { CURRENT_ASSOCIATION } from "./server/association-object.ts";
export type { Connection } from "./server/connection.ts";
export { serveDataProtection } from "./server/data-protection-object.ts";
export { type DeviceModel, deviceModel, mount } from "./server/device-model.ts";
export type { DeviceParts } from "./server/device-parts.ts";
export type { ModelObject } from "./server/model-object.ts";
export { DEFAULT_MAX_RECEIVE_PDU_BYTES, OFFERED_CONFORMANCE } from "./server/offer.ts";
export type {
  AssociationEdits,
  AssociationUser,
  CertificateIdentification,
  CertificateStore,
  Device,
  GeneralProtectionPort,
  InvocationCounters,
  KeyPairUse,
  KeyPurpose,
  KeySet,
  RefusedRequest,
  SecurityPolicy,
  SecuritySetupKeys,
  SecuritySetupPort,
  ServerEvent,
} from "./server/ports.ts";
export { type ProfileRows, type ProfileSource, serveProfile } from "./server/profile.ts";
export { buildPush, type GeneralPush, type PushProtection } from "./server/push.ts";
export { serveSecuritySetup, serveSecuritySetupV0 } from "./server/security-setup-object.ts";
export { CosemServer, type ServerOptions } from "./server/server.ts";
export { manufacturerOf, type SystemTitle, systemTitle, systemTitleCodec, systemTitleText } from "./system-title.ts";
export type { BodyKind, MeterObject } from "./telegram/body.ts";
export { BUILT_IN_LAYOUT_FILES, BUILT_IN_LAYOUTS } from "./telegram/built-in-layouts.ts";
export { readDateTime, timeText } from "./telegram/clock.ts";
export type { TelegramCiphers } from "./telegram/decipher.ts";
export { collectOutcomes, type DecodedTelegrams, decodeTelegrams } from "./telegram/decode.ts";
export { TelegramDecoder, type TelegramOptions, type TelegramOutcome } from "./telegram/decoder.ts";
export { type Identification, identify } from "./telegram/identify.ts";
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
export { type OpenedApdu, readOpenedTelegrams } from "./telegram/opened.ts";
export type { RawValue, Reading, ReadingValue, Season } from "./telegram/reading.ts";
export { type Refusal, TELEGRAM_ERROR_CODES, type TelegramErrorCode } from "./telegram/refusal.ts";
export { scaled } from "./telegram/scaling.ts";
export { type Authentication, type SecurityFacts, securityInWords } from "./telegram/security-facts.ts";
export { shownTime, shownValue } from "./telegram/shown.ts";
export type { Telegram, TelegramMeter } from "./telegram/telegram.ts";
export { numberOf, plainValue, textOf } from "./telegram/value.ts";
export { TELEGRAM_WARNING_CODES, type TelegramWarning, type TelegramWarningCode } from "./telegram/warning.ts";
export { Turn } from "./turn.ts";
export { type Apdu, apdu, type PlainApdu } from "./xdlms/apdu.ts";
export { CONFORMANCE_BITS, type Conformance, type ConformanceBit } from "./xdlms/conformance.ts";
export type { InitiateRequest, InitiateResponse } from "./xdlms/initiate.ts";
export type { InvokeIdAndPriority } from "./xdlms/invoke-id.ts";
export type { DataNotification } from "./xdlms/notification.ts";
export type { VariableAccess } from "./xdlms/read.ts";
export { ASSOCIATION_BASE_NAME, attributeShortName, type Referencing, SHORT_NAME_STEP } from "./xdlms/referencing.ts";
export { ACTION_RESULTS, type ActionResult, DATA_ACCESS_RESULTS, type DataAccessResult } from "./xdlms/results.ts";
