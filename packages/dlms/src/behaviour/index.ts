export {
  ActionSchedule,
  SCHEDULE_TYPES,
  type ScheduleSettings,
  serveActionSchedule,
} from "./action-schedule.ts";
export {
  type CalendarParts,
  type CalendarTables,
  type SpecialDays,
  serveActivityCalendar,
  TariffCalendar,
} from "./activity-calendar.ts";
export { type ArbitratorSettings, ResourceArbitrator, serveArbitrator } from "./arbitrator.ts";
export { type ArrayManagerPorts, serveArrayManager } from "./array-manager.ts";
export { inWindows, matchesDate, matchesTime, weekdayOf } from "./calendar-pattern.ts";
export { type ClockParts, type ClockSettings, MeterClock, serveClock } from "./clock.ts";
export {
  type CompactBuffer,
  CompactCapture,
  type CompactDataSettings,
  compact,
  serveCompactData,
} from "./compact-data.ts";
export { Demand, type DemandParts, type DemandSettings, serveDemand } from "./demand.ts";
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
} from "./disconnector.ts";
export { FunctionSwitch, type MeterFunction, serveFunctionControl } from "./function-control.ts";
export {
  type ImageInfo,
  ImageReceiver,
  type ImageStatus,
  type ImageTransferParts,
  serveImageTransfer,
} from "./image-transfer.ts";
export {
  type EmergencyProfile,
  type LimiterParts,
  type LimiterSettings,
  LoadLimiter,
  serveLimiter,
} from "./limiter.ts";
export {
  type MBus,
  MBusChannel,
  type MBusChannelSettings,
  type MBusData,
  type MBusIdentity,
  type MBusReading,
  serveMBusClient,
} from "./m-bus-channel.ts";
export { ObjectTree, type TreeObject } from "./object-tree.ts";
export { type ParameterMonitorParts, ParameterWatch, serveParameterMonitor } from "./parameter-monitor.ts";
export {
  attemptFailed,
  attemptsForgiven,
  NO_FAILED_ATTEMPTS,
  type PortProtectionPorts,
  type PortProtectionSettings,
  type PortProtectionState,
  protectionStatus,
  servePortProtection,
} from "./port-protection.ts";
export {
  ChargeCollector,
  type ChargeParts,
  type ChargeSettings,
  serveCharge,
  type UnitCharge,
} from "./prepayment/charge-collector.ts";
export {
  CreditBalance,
  type CreditSettings,
  type CreditStatus,
  serveCredit,
} from "./prepayment/credit-balance.ts";
export {
  type AccountSettings,
  type AccountStatus,
  type CreditFlags,
  PrepaymentAccount,
  type PrepaymentAccountParts,
  serveAccount,
} from "./prepayment/prepayment-account.ts";
export {
  serveTokenGateway,
  TokenEntry,
  type TokenEntryParts,
  type TokenOutcome,
} from "./prepayment/token-entry.ts";
export {
  ProfileBuffer,
  type ProfileParts,
  type ProfileSettings,
  type SortMethod,
  serveProfileBuffer,
} from "./profile-buffer.ts";
export { type PushObject, pushBody } from "./push-body.ts";
export {
  type DeliveryEffect,
  type DeliveryEvent,
  type DeliverySettings,
  type DeliveryState,
  retryDelaySeconds,
  stepDelivery,
} from "./push-delivery.ts";
export { deliveryOf, type PushPorts, type PushSettings, servePushSetup } from "./push-setup.ts";
export {
  type RegisterAssignment,
  type RegisterMask,
  serveRegisterActivation,
  TariffRegisters,
} from "./register-activation.ts";
export {
  type MonitorParts,
  type MonitorSettings,
  serveRegisterMonitor,
  ThresholdMonitor,
} from "./register-monitor.ts";
export { type LogicalDevice, type SapAssignmentPorts, serveSapAssignment } from "./sap-assignment.ts";
export { DaySchedule, type DayScheduleParts, type ScheduleEntry, serveSchedule } from "./schedule.ts";
export { ScriptRunner, type Scripts, serveScriptTable } from "./script-table.ts";
export {
  type SensorPlate,
  type SensorReading,
  type SensorThresholds,
  serveSensorManager,
  WatchedSensor,
  type WatchedSensorParts,
} from "./sensor.ts";
export { type SpecialDaysPorts, serveSpecialDays } from "./special-days.ts";
export { entryOfBit, type MappingTable, serveStatusMapping } from "./status-mapping.ts";
export { serveMeasurementMonitoring, type WaveformParts, WaveformRecorder } from "./waveform.ts";
