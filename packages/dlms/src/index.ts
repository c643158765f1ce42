export { ACSE_TAGS, type AcseApdu, acseApdu } from "./acse/acse-apdu.ts";
export { type Aare, type Aarq, ASSOCIATION_RESULTS, type Diagnostic } from "./acse/association.ts";
export {
  APPLICATION_CONTEXTS,
  type ApplicationContextName,
  MECHANISMS,
  type MechanismName,
} from "./acse/names.ts";
export type { Rlre, Rlrq } from "./acse/release.ts";
export {
  ActionSchedule,
  SCHEDULE_TYPES,
  type ScheduleSettings,
  serveActionSchedule,
} from "./behaviour/action-schedule.ts";
export {
  type CalendarParts,
  type CalendarTables,
  type SpecialDays,
  serveActivityCalendar,
  TariffCalendar,
} from "./behaviour/activity-calendar.ts";
export { type ArbitratorSettings, ResourceArbitrator, serveArbitrator } from "./behaviour/arbitrator.ts";
export { type ArrayManagerPorts, serveArrayManager } from "./behaviour/array-manager.ts";
export { inWindows, matchesDate, matchesTime, weekdayOf } from "./behaviour/calendar-pattern.ts";
export { type ClockParts, type ClockSettings, MeterClock, serveClock } from "./behaviour/clock.ts";
export {
  type CompactBuffer,
  CompactCapture,
  type CompactDataSettings,
  compact,
  serveCompactData,
} from "./behaviour/compact-data.ts";
export { Demand, type DemandParts, type DemandSettings, serveDemand } from "./behaviour/demand.ts";
export {
  CONTROL_MODES,
  type ControlMode,
  type ControlState,
  Disconnector,
  type DisconnectorParts,
  type DisconnectorTrigger,
  isControlMode,
  serveDisconnector,
  stepDisconnector,
} from "./behaviour/disconnector.ts";
export { FunctionSwitch, type MeterFunction, serveFunctionControl } from "./behaviour/function-control.ts";
export {
  type ImageInfo,
  ImageReceiver,
  type ImageStatus,
  type ImageTransferParts,
  serveImageTransfer,
} from "./behaviour/image-transfer.ts";
export {
  type EmergencyProfile,
  type LimiterParts,
  type LimiterSettings,
  LoadLimiter,
  serveLimiter,
} from "./behaviour/limiter.ts";
export {
  type MBus,
  MBusChannel,
  type MBusChannelSettings,
  type MBusData,
  type MBusIdentity,
  type MBusReading,
  serveMBusClient,
} from "./behaviour/m-bus-channel.ts";
export { ObjectTree, type TreeObject } from "./behaviour/object-tree.ts";
export { type ParameterMonitorParts, ParameterWatch, serveParameterMonitor } from "./behaviour/parameter-monitor.ts";
export {
  attemptFailed,
  attemptsForgiven,
  NO_FAILED_ATTEMPTS,
  type PortProtectionPorts,
  type PortProtectionSettings,
  type PortProtectionState,
  protectionStatus,
  servePortProtection,
} from "./behaviour/port-protection.ts";
export {
  ChargeCollector,
  type ChargeParts,
  type ChargeSettings,
  serveCharge,
  type UnitCharge,
} from "./behaviour/prepayment/charge-collector.ts";
export {
  CreditBalance,
  type CreditSettings,
  type CreditStatus,
  serveCredit,
} from "./behaviour/prepayment/credit-balance.ts";
export {
  type AccountSettings,
  type AccountStatus,
  type CreditFlags,
  PrepaymentAccount,
  type PrepaymentAccountParts,
  serveAccount,
} from "./behaviour/prepayment/prepayment-account.ts";
export {
  serveTokenGateway,
  TokenEntry,
  type TokenEntryParts,
  type TokenOutcome,
} from "./behaviour/prepayment/token-entry.ts";
export {
  ProfileBuffer,
  type ProfileParts,
  type ProfileSettings,
  type SortMethod,
  serveProfileBuffer,
} from "./behaviour/profile-buffer.ts";
export { type PushObject, pushBody } from "./behaviour/push-body.ts";
export {
  type DeliveryEffect,
  type DeliveryEvent,
  type DeliverySettings,
  type DeliveryState,
  retryDelaySeconds,
  stepDelivery,
} from "./behaviour/push-delivery.ts";
export { deliveryOf, type PushPorts, type PushSettings, servePushSetup } from "./behaviour/push-setup.ts";
export {
  type RegisterAssignment,
  type RegisterMask,
  serveRegisterActivation,
  TariffRegisters,
} from "./behaviour/register-activation.ts";
export {
  type MonitorParts,
  type MonitorSettings,
  serveRegisterMonitor,
  ThresholdMonitor,
} from "./behaviour/register-monitor.ts";
export { type LogicalDevice, type SapAssignmentPorts, serveSapAssignment } from "./behaviour/sap-assignment.ts";
export { DaySchedule, type DayScheduleParts, type ScheduleEntry, serveSchedule } from "./behaviour/schedule.ts";
export { ScriptRunner, type Scripts, serveScriptTable } from "./behaviour/script-table.ts";
export {
  type SensorPlate,
  type SensorReading,
  type SensorThresholds,
  serveSensorManager,
  WatchedSensor,
  type WatchedSensorParts,
} from "./behaviour/sensor.ts";
export { type SpecialDaysPorts, serveSpecialDays } from "./behaviour/special-days.ts";
export { entryOfBit, type MappingTable, serveStatusMapping } from "./behaviour/status-mapping.ts";
export { serveMeasurementMonitoring, type WaveformParts, WaveformRecorder } from "./behaviour/waveform.ts";
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
export {
  type AnyInterfaceClass,
  attributeNumbered,
  methodNumbered,
  type NamedAttribute,
  type NamedMethod,
} from "./cosem/any-interface-class.ts";
export type {
  Attribute,
  AttributeSelection,
  Attributes,
  AttributeValue,
  ClassDeclaration,
  Method,
  MethodParameter,
  MethodResult,
  Methods,
} from "./cosem/class-declaration.ts";
export { classVersions, INTERFACE_CLASSES, interfaceClassOf } from "./cosem/class-registry.ts";
export { Account } from "./cosem/classes/account.ts";
export { ActivityCalendar } from "./cosem/classes/activity-calendar.ts";
export { Arbitrator } from "./cosem/classes/arbitrator.ts";
export { ArrayManager } from "./cosem/classes/array-manager.ts";
export {
  AssociationLn,
  AssociationLnV0,
  AssociationLnV1,
  AssociationLnV2,
  type ObjectListElement,
  objectListElement,
} from "./cosem/classes/association-ln.ts";
export {
  AssociationSn,
  AssociationSnV0,
  AssociationSnV1,
  AssociationSnV2,
  AssociationSnV3,
  type ShortNameListElement,
  shortNameListElement,
} from "./cosem/classes/association-sn.ts";
export { AutoAnswer, AutoAnswerV0 } from "./cosem/classes/auto-answer.ts";
export { AutoConnect, AutoConnectV0, AutoConnectV1 } from "./cosem/classes/auto-connect.ts";
export { GprsModemSetup, GsmDiagnostic, GsmDiagnosticV0, GsmDiagnosticV1 } from "./cosem/classes/cellular.ts";
export { Charge } from "./cosem/classes/charge.ts";
export { Clock } from "./cosem/classes/clock.ts";
export { CommunicationPortProtection } from "./cosem/classes/communication-port-protection.ts";
export { CompactData, CompactDataV0 } from "./cosem/classes/compact-data.ts";
export { Credit } from "./cosem/classes/credit.ts";
export { DataClass } from "./cosem/classes/data-class.ts";
export { DataProtection } from "./cosem/classes/data-protection.ts";
export { DemandRegister } from "./cosem/classes/demand-register.ts";
export { DisconnectControl, DisconnectControlV1 } from "./cosem/classes/disconnect-control.ts";
export { FunctionControl } from "./cosem/classes/function-control.ts";
export {
  G3AdaptationLayerSetup,
  G3AdaptationLayerSetupV0,
  G3AdaptationLayerSetupV1,
  G3AdaptationLayerSetupV2,
  G3AdaptationLayerSetupV3,
} from "./cosem/classes/g3-adaptation-layer.ts";
export { G3MacLayerCounters, G3MacSetup, G3MacSetupV1, G3MacSetupV2, G3MacSetupV3 } from "./cosem/classes/g3-mac.ts";
export { HdlcSetup, HdlcSetupV0 } from "./cosem/classes/hdlc-setup.ts";
export { IecLocalPortSetup, IecLocalPortSetupV0 } from "./cosem/classes/iec-local-port-setup.ts";
export { ImageTransfer } from "./cosem/classes/image-transfer.ts";
export {
  Ipv4Setup,
  Ipv6Setup,
  MacAddressSetup,
  NtpSetup,
  PppSetup,
  SmtpSetup,
  TcpUdpSetup,
} from "./cosem/classes/ip-setup.ts";
export { Limiter } from "./cosem/classes/limiter.ts";
export { MBusClient, MBusClientV0 } from "./cosem/classes/m-bus-client.ts";
export { MBusMasterPortSetup, MBusSlavePortSetup, WirelessModeQChannel } from "./cosem/classes/m-bus-port-setup.ts";
export { MeasurementDataMonitoring } from "./cosem/classes/measurement-data-monitoring.ts";
export { ModemConfiguration, ModemConfigurationV0 } from "./cosem/classes/modem-configuration.ts";
export { ParameterMonitor, ParameterMonitorV0 } from "./cosem/classes/parameter-monitor.ts";
export {
  LlcSscsSetup,
  PrimeApplicationsIdentification,
  PrimeMacCounters,
  PrimeMacFunctionalParameters,
  PrimeMacNetworkAdministrationData,
  PrimeMacSetup,
  PrimePhysicalLayerCounters,
} from "./cosem/classes/prime-setup.ts";
export { ProfileGeneric } from "./cosem/classes/profile-generic.ts";
export { PushSetup, PushSetupV1, PushSetupV2, PushSetupV3 } from "./cosem/classes/push-setup.ts";
export { ExtendedRegister, Register } from "./cosem/classes/register.ts";
export { RegisterActivation } from "./cosem/classes/register-activation.ts";
export { RegisterMonitor } from "./cosem/classes/register-monitor.ts";
export { SapAssignment } from "./cosem/classes/sap-assignment.ts";
export { Schedule } from "./cosem/classes/schedule.ts";
export { ScriptTable } from "./cosem/classes/script-table.ts";
export { type CertificateInfo, KEY_IDS, SecuritySetup, SecuritySetupV0 } from "./cosem/classes/security-setup.ts";
export type { Restriction, SelectedCaptureObject } from "./cosem/classes/selected-capture.ts";
export { SensorManager } from "./cosem/classes/sensor-manager.ts";
export { shortName } from "./cosem/classes/short-name.ts";
export { SingleActionSchedule } from "./cosem/classes/single-action-schedule.ts";
export { SpecialDaysTable } from "./cosem/classes/special-days-table.ts";
export { StatusMapping } from "./cosem/classes/status-mapping.ts";
export { TokenGateway } from "./cosem/classes/token-gateway.ts";
export { UtilityTables } from "./cosem/classes/utility-tables.ts";
export { EncodedData, encodedData } from "./cosem/encoded-data.ts";
export { attribute, type InterfaceClass, interfaceClass, method } from "./cosem/interface-class.ts";
export { type LogicalName, logicalNameOctets, logicalNameText } from "./cosem/logical-name.ts";
export { logicalNameData } from "./cosem/logical-name-data.ts";
export { type RawClass, type RawMembers, rawClass } from "./cosem/raw-class.ts";
export { AccessRefusal, type RefusalReason, refuse } from "./cosem/refusal.ts";
export { type SelectiveAccessDescriptor, type SelectiveAccessTable, selector } from "./cosem/selective-access.ts";
export type { Handlers } from "./cosem/serve.ts";
export type { ServeContext, ServedAttribute, ServedClass, ServedMethod, ServedResult } from "./cosem/served.ts";
export {
  type AttributeReference,
  attributeReference,
  type CaptureObject,
  captureObject,
  type ObjectReference,
  objectReference,
  type ScalerUnit,
  type ScriptReference,
  scalerUnit,
  scriptReference,
  type TimeWindow,
} from "./cosem/structures.ts";
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
export type { RawValue, Reading, ReadingValue } from "./telegram/reading.ts";
export { type Refusal, TELEGRAM_ERROR_CODES, type TelegramErrorCode } from "./telegram/refusal.ts";
export { scaled } from "./telegram/scaling.ts";
export { type Authentication, type SecurityFacts, securityInWords } from "./telegram/security-facts.ts";
export { shownValue } from "./telegram/shown.ts";
export type { Telegram, TelegramMeter } from "./telegram/telegram.ts";
export { numberOf, plainValue, textOf } from "./telegram/value.ts";
export { TELEGRAM_WARNING_CODES, type TelegramWarning, type TelegramWarningCode } from "./telegram/warning.ts";
export { type Apdu, apdu, type PlainApdu } from "./xdlms/apdu.ts";
export { CONFORMANCE_BITS, type Conformance, type ConformanceBit } from "./xdlms/conformance.ts";
export type { InitiateRequest, InitiateResponse } from "./xdlms/initiate.ts";
export type { InvokeIdAndPriority } from "./xdlms/invoke-id.ts";
export type { DataNotification } from "./xdlms/notification.ts";
export type { VariableAccess } from "./xdlms/read.ts";
export { ASSOCIATION_BASE_NAME, attributeShortName, type Referencing, SHORT_NAME_STEP } from "./xdlms/referencing.ts";
export { ACTION_RESULTS, type ActionResult, DATA_ACCESS_RESULTS, type DataAccessResult } from "./xdlms/results.ts";
