import type { AnyInterfaceClass } from "./any-interface-class.ts";
import { Account } from "./classes/account.ts";
import { ActivityCalendar } from "./classes/activity-calendar.ts";
import { Arbitrator } from "./classes/arbitrator.ts";
import { ArrayManager } from "./classes/array-manager.ts";
import { AssociationLn, AssociationLnV0, AssociationLnV1, AssociationLnV2 } from "./classes/association-ln.ts";
import {
  AssociationSn,
  AssociationSnV0,
  AssociationSnV1,
  AssociationSnV2,
  AssociationSnV3,
} from "./classes/association-sn.ts";
import { AutoAnswer, AutoAnswerV0 } from "./classes/auto-answer.ts";
import { AutoConnect, AutoConnectV0, AutoConnectV1 } from "./classes/auto-connect.ts";
import { GprsModemSetup, GsmDiagnostic, GsmDiagnosticV0, GsmDiagnosticV1 } from "./classes/cellular.ts";
import { Charge } from "./classes/charge.ts";
import { Clock } from "./classes/clock.ts";
import { CommunicationPortProtection } from "./classes/communication-port-protection.ts";
import { CompactData, CompactDataV0 } from "./classes/compact-data.ts";
import { Credit } from "./classes/credit.ts";
import { DataClass } from "./classes/data-class.ts";
import { DataProtection } from "./classes/data-protection.ts";
import { DemandRegister } from "./classes/demand-register.ts";
import { DisconnectControl, DisconnectControlV1 } from "./classes/disconnect-control.ts";
import { FunctionControl } from "./classes/function-control.ts";
import {
  G3AdaptationLayerSetup,
  G3AdaptationLayerSetupV0,
  G3AdaptationLayerSetupV1,
  G3AdaptationLayerSetupV2,
  G3AdaptationLayerSetupV3,
} from "./classes/g3-adaptation-layer.ts";
import { G3MacLayerCounters, G3MacSetup, G3MacSetupV1, G3MacSetupV2, G3MacSetupV3 } from "./classes/g3-mac.ts";
import { HdlcSetup, HdlcSetupV0 } from "./classes/hdlc-setup.ts";
import { IecLocalPortSetup, IecLocalPortSetupV0 } from "./classes/iec-local-port-setup.ts";
import { ImageTransfer } from "./classes/image-transfer.ts";
import {
  Ipv4Setup,
  Ipv6Setup,
  MacAddressSetup,
  NtpSetup,
  PppSetup,
  SmtpSetup,
  TcpUdpSetup,
} from "./classes/ip-setup.ts";
import { Limiter } from "./classes/limiter.ts";
import { MBusClient, MBusClientV0 } from "./classes/m-bus-client.ts";
import { MBusMasterPortSetup, MBusSlavePortSetup, WirelessModeQChannel } from "./classes/m-bus-port-setup.ts";
import { MeasurementDataMonitoring } from "./classes/measurement-data-monitoring.ts";
import { ModemConfiguration, ModemConfigurationV0 } from "./classes/modem-configuration.ts";
import { ParameterMonitor, ParameterMonitorV0 } from "./classes/parameter-monitor.ts";
import {
  LlcSscsSetup,
  PrimeApplicationsIdentification,
  PrimeMacCounters,
  PrimeMacFunctionalParameters,
  PrimeMacNetworkAdministrationData,
  PrimeMacSetup,
  PrimePhysicalLayerCounters,
} from "./classes/prime-setup.ts";
import { ProfileGeneric } from "./classes/profile-generic.ts";
import { PushSetup, PushSetupV1, PushSetupV2, PushSetupV3 } from "./classes/push-setup.ts";
import { ExtendedRegister, Register } from "./classes/register.ts";
import { RegisterActivation } from "./classes/register-activation.ts";
import { RegisterMonitor } from "./classes/register-monitor.ts";
import { SapAssignment } from "./classes/sap-assignment.ts";
import { Schedule } from "./classes/schedule.ts";
import { ScriptTable } from "./classes/script-table.ts";
import { SecuritySetup, SecuritySetupV0 } from "./classes/security-setup.ts";
import { SensorManager } from "./classes/sensor-manager.ts";
import { SingleActionSchedule } from "./classes/single-action-schedule.ts";
import { SpecialDaysTable } from "./classes/special-days-table.ts";
import { StatusMapping } from "./classes/status-mapping.ts";
import { TokenGateway } from "./classes/token-gateway.ts";
import { UtilityTables } from "./classes/utility-tables.ts";

/** Every interface class and version that this library declares, by class_id and version. */
export const INTERFACE_CLASSES: readonly AnyInterfaceClass[] = [
  DataClass,
  Register,
  ExtendedRegister,
  DemandRegister,
  RegisterActivation,
  ProfileGeneric,
  Clock,
  ScriptTable,
  Schedule,
  SpecialDaysTable,
  AssociationSnV0,
  AssociationSnV1,
  AssociationSnV2,
  AssociationSnV3,
  AssociationSn,
  AssociationLnV0,
  AssociationLnV1,
  AssociationLnV2,
  AssociationLn,
  SapAssignment,
  ImageTransfer,
  IecLocalPortSetupV0,
  IecLocalPortSetup,
  ActivityCalendar,
  RegisterMonitor,
  SingleActionSchedule,
  HdlcSetupV0,
  HdlcSetup,
  MBusSlavePortSetup,
  UtilityTables,
  ModemConfigurationV0,
  ModemConfiguration,
  AutoAnswerV0,
  AutoAnswer,
  AutoConnectV0,
  AutoConnectV1,
  AutoConnect,
  DataProtection,
  PushSetup,
  PushSetupV1,
  PushSetupV2,
  PushSetupV3,
  TcpUdpSetup,
  Ipv4Setup,
  MacAddressSetup,
  PppSetup,
  GprsModemSetup,
  SmtpSetup,
  GsmDiagnosticV0,
  GsmDiagnosticV1,
  GsmDiagnostic,
  Ipv6Setup,
  CompactDataV0,
  CompactData,
  StatusMapping,
  SecuritySetupV0,
  SecuritySetup,
  ParameterMonitorV0,
  ParameterMonitor,
  MeasurementDataMonitoring,
  SensorManager,
  Arbitrator,
  DisconnectControl,
  DisconnectControlV1,
  Limiter,
  MBusClientV0,
  MBusClient,
  WirelessModeQChannel,
  MBusMasterPortSetup,
  LlcSscsSetup,
  PrimePhysicalLayerCounters,
  PrimeMacSetup,
  PrimeMacFunctionalParameters,
  PrimeMacCounters,
  PrimeMacNetworkAdministrationData,
  PrimeApplicationsIdentification,
  G3MacLayerCounters,
  G3MacSetupV1,
  G3MacSetupV2,
  G3MacSetupV3,
  G3MacSetup,
  G3AdaptationLayerSetupV0,
  G3AdaptationLayerSetupV1,
  G3AdaptationLayerSetupV2,
  G3AdaptationLayerSetupV3,
  G3AdaptationLayerSetup,
  NtpSetup,
  Account,
  Credit,
  Charge,
  TokenGateway,
  FunctionControl,
  ArrayManager,
  CommunicationPortProtection,
];

const BY_NUMBER = new Map(INTERFACE_CLASSES.map((declared) => [key(declared.id, declared.version), declared]));

/** The class of the number and version; undefined where this library does not know it: see `rawClass`. */
export function interfaceClassOf(classId: number, version: number): AnyInterfaceClass | undefined {
  return BY_NUMBER.get(key(classId, version));
}

/** The versions of a class that this library knows, rising. */
export function classVersions(classId: number): readonly AnyInterfaceClass[] {
  return INTERFACE_CLASSES.filter(({ id }) => id === classId);
}

function key(classId: number, version: number): number {
  return classId * 256 + version;
}
