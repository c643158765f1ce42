export { METER_ERROR_CODES, MeterError, type MeterErrorCode } from "./errors.ts";
export {
  type ArmedFault,
  CERTIFICATE_FAULTS,
  type CertificateFault,
  type FaultScope,
  flipped,
  type KeyTransferFault,
  type LineFault,
} from "./faults.ts";
export { firmwareImage, firmwareIn } from "./firmware-image.ts";
export { MISCHIEF, type Mischief, type MischiefPlan, mischief, parseMischief } from "./line-mischief.ts";
export type { Consumption, IntervalEnergy, Registers } from "./load/consumption.ts";
export { Feeder } from "./load/feeder.ts";
export { HomeConsumption } from "./load/home.ts";
export { HOUSEHOLD_KINDS, type Household, type HouseholdKind, household } from "./load/household.ts";
export { RelayHistory, type RelayTransition } from "./load/relay-history.ts";
export { Weather } from "./load/weather.ts";
export { hangGasMeter, readsGas } from "./m-bus.ts";
export { CLIENT_SAPS, type MeterKind, MeterModels, meterObjects } from "./meter-model.ts";
export { type MeterFile, type ModelledObject, parseMeterFile } from "./model/model-file.ts";
export { MODEL_CLIENTS, type ModelClient, ModelMeter, type ModelMeterParts } from "./model/model-meter.ts";
export { type ModelKeys, ModelSecurity } from "./model/model-security.ts";
export { readWhole, type WholeReading } from "./model/read-whole.ts";
export { between, derive, seedOf, uniform } from "./noise.ts";
export type { KeyPurposeName, MemoryChange, MeterMemory, StoredMeter } from "./nvm/memory.ts";
export type { MeterSettings } from "./nvm/settings.ts";
export { SqliteMemory } from "./nvm/sqlite.ts";
export { VolatileMemory } from "./nvm/volatile.ts";
export {
  type FactoryKeys,
  type FactorySetup,
  KEY_FAULTS,
  type KeyFault,
  type ProductionRecord,
  parseProductionLine,
  productionLine,
} from "./production.ts";
export type { CompanionProfile } from "./profile/companion-profile.ts";
export { COMPANION_PROFILES, companionProfile } from "./profile/companion-profiles.ts";
export { type MeasuredColumn, measuredBetween } from "./profile/measured.ts";
export type { PushKind } from "./push-schedule.ts";
export { INTERVAL_SECONDS, intervalAt, localMidnight, type UnixSeconds } from "./time/calendar.ts";
export {
  type KeptTime,
  type MeterClock,
  resumeTime,
  STOP_SECONDS,
  type TownTime,
  townTimeAt,
} from "./time/town-clock.ts";
export { type MeterConnection, type MeterParts, type Served, VirtualMeter } from "./virtual-meter.ts";
export { SERVER_SAP } from "./well-known.ts";
