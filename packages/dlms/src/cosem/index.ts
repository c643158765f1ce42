export {
  type AnyInterfaceClass,
  attributeNumbered,
  methodNumbered,
  type NamedAttribute,
  type NamedMethod,
} from "./any-interface-class.ts";
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
} from "./class-declaration.ts";
export { classVersions, INTERFACE_CLASSES, interfaceClassOf } from "./class-registry.ts";
export { Account } from "./classes/account.ts";
export { ActivityCalendar } from "./classes/activity-calendar.ts";
export { Arbitrator } from "./classes/arbitrator.ts";
export { ArrayManager } from "./classes/array-manager.ts";
export {
  AssociationLn,
  AssociationLnV0,
  AssociationLnV1,
  AssociationLnV2,
  type ObjectListElement,
  objectListElement,
} from "./classes/association-ln.ts";
export {
  AssociationSn,
  AssociationSnV0,
  AssociationSnV1,
  AssociationSnV2,
  AssociationSnV3,
  type ShortNameListElement,
  shortNameListElement,
} from "./classes/association-sn.ts";
export { AutoAnswer, AutoAnswerV0 } from "./classes/auto-answer.ts";
export { AutoConnect, AutoConnectV0, AutoConnectV1 } from "./classes/auto-connect.ts";
export { GprsModemSetup, GsmDiagnostic, GsmDiagnosticV0, GsmDiagnosticV1 } from "./classes/cellular.ts";
export { Charge } from "./classes/charge.ts";
export { Clock } from "./classes/clock.ts";
export { CommunicationPortProtection } from "./classes/communication-port-protection.ts";
export { CompactData, CompactDataV0 } from "./classes/compact-data.ts";
export { Credit } from "./classes/credit.ts";
export { DataClass } from "./classes/data-class.ts";
export { DataProtection } from "./classes/data-protection.ts";
export { DemandRegister } from "./classes/demand-register.ts";
export { DisconnectControl, DisconnectControlV1 } from "./classes/disconnect-control.ts";
export { FunctionControl } from "./classes/function-control.ts";
export {
  G3AdaptationLayerSetup,
  G3AdaptationLayerSetupV0,
  G3AdaptationLayerSetupV1,
  G3AdaptationLayerSetupV2,
  G3AdaptationLayerSetupV3,
} from "./classes/g3-adaptation-layer.ts";
export { G3MacLayerCounters, G3MacSetup, G3MacSetupV1, G3MacSetupV2, G3MacSetupV3 } from "./classes/g3-mac.ts";
export { HdlcSetup, HdlcSetupV0 } from "./classes/hdlc-setup.ts";
export { IecLocalPortSetup, IecLocalPortSetupV0 } from "./classes/iec-local-port-setup.ts";
export { ImageTransfer } from "./classes/image-transfer.ts";
export {
  Ipv4Setup,
  Ipv6Setup,
  MacAddressSetup,
  NtpSetup,
  PppSetup,
  SmtpSetup,
  TcpUdpSetup,
} from "./classes/ip-setup.ts";
export { Limiter } from "./classes/limiter.ts";
export { MBusClient, MBusClientV0 } from "./classes/m-bus-client.ts";
export { MBusMasterPortSetup, MBusSlavePortSetup, WirelessModeQChannel } from "./classes/m-bus-port-setup.ts";
export { MeasurementDataMonitoring } from "./classes/measurement-data-monitoring.ts";
export { ModemConfiguration, ModemConfigurationV0 } from "./classes/modem-configuration.ts";
export { ParameterMonitor, ParameterMonitorV0 } from "./classes/parameter-monitor.ts";
export {
  LlcSscsSetup,
  PrimeApplicationsIdentification,
  PrimeMacCounters,
  PrimeMacFunctionalParameters,
  PrimeMacNetworkAdministrationData,
  PrimeMacSetup,
  PrimePhysicalLayerCounters,
} from "./classes/prime-setup.ts";
export { ProfileGeneric } from "./classes/profile-generic.ts";
export { PushSetup, PushSetupV1, PushSetupV2, PushSetupV3 } from "./classes/push-setup.ts";
export { ExtendedRegister, Register } from "./classes/register.ts";
export { RegisterActivation } from "./classes/register-activation.ts";
export { RegisterMonitor } from "./classes/register-monitor.ts";
export { SapAssignment } from "./classes/sap-assignment.ts";
export { Schedule } from "./classes/schedule.ts";
export { ScriptTable } from "./classes/script-table.ts";
export { type CertificateInfo, KEY_IDS, SecuritySetup, SecuritySetupV0 } from "./classes/security-setup.ts";
export type { Restriction, SelectedCaptureObject } from "./classes/selected-capture.ts";
export { SensorManager } from "./classes/sensor-manager.ts";
export { shortName } from "./classes/short-name.ts";
export { SingleActionSchedule } from "./classes/single-action-schedule.ts";
export { SpecialDaysTable } from "./classes/special-days-table.ts";
export { StatusMapping } from "./classes/status-mapping.ts";
export { TokenGateway } from "./classes/token-gateway.ts";
export { UtilityTables } from "./classes/utility-tables.ts";
export { EncodedData, encodedData } from "./encoded-data.ts";
export { attribute, type InterfaceClass, interfaceClass, method } from "./interface-class.ts";
export { type LogicalName, logicalNameOctets, logicalNameText } from "./logical-name.ts";
export { logicalNameData } from "./logical-name-data.ts";
export { type RawClass, type RawMembers, rawClass } from "./raw-class.ts";
export { AccessRefusal, type RefusalReason, refuse } from "./refusal.ts";
export { type SelectiveAccessDescriptor, type SelectiveAccessTable, selector } from "./selective-access.ts";
export type { Handlers } from "./serve.ts";
export type { ServeContext, ServedAttribute, ServedClass, ServedMethod, ServedResult } from "./served.ts";
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
} from "./structures.ts";
