export { METER_ERROR_CODES, MeterError, type MeterErrorCode } from "./errors.ts";
export type { Consumption, IntervalEnergy, Registers } from "./load/consumption.ts";
export { Feeder } from "./load/feeder.ts";
export { HomeConsumption } from "./load/home.ts";
export { HOUSEHOLD_KINDS, type Household, type HouseholdKind, household } from "./load/household.ts";
export { RelayHistory, type RelayTransition } from "./load/relay-history.ts";
export { Weather } from "./load/weather.ts";
export { between, derive, seedOf, uniform } from "./noise.ts";
export {
  type FactoryKeys,
  KEY_FAULTS,
  type KeyFault,
  type ProductionRecord,
  parseProductionLine,
  productionLine,
} from "./production.ts";
export { COMPANION_PROFILES, type CompanionProfile, companionProfile } from "./profile/companion-profile.ts";
