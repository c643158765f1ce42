export { seenName } from "./approval/same-person.ts";
export {
  type Approval,
  type ApprovalProof,
  type ApprovalStatement,
  approval,
  approvalProof,
  approvalStatement,
  approverId,
  DECISIONS,
  NO_DOCUMENT,
} from "./approval/statement.ts";
export { parseJson, readCanonical, requireCanonical, utf8Text, writeCanonical } from "./canonical/canonical-json.ts";
export {
  exactly,
  type Field,
  type FieldSet,
  type FieldShape,
  type FieldValue,
  hexOctets,
  instant,
  kinds,
  listOf,
  matching,
  type ObjectOf,
  object,
  oneOf,
  optional,
  shaped,
  text,
  truth,
  Wrong,
  whole,
} from "./canonical/field.ts";
export { CHANGE_KIND_NAMES, CHANGE_KINDS, type ChangeKindName } from "./change/change-kinds.ts";
export { type ChangeRequest, changeRequest } from "./change/change-request.ts";
export { type Facts, facts } from "./change/facts.ts";
export {
  type Act,
  type AskedAct,
  classify,
  GUARD_REFUSAL_CODES,
  type GuardRefusalCode,
  type Verdict,
} from "./classify.ts";
export { type CommandClass, EFFECT_TABLE, EFFECTS, type Effect, type EffectRow, effectOf } from "./effect.ts";
export { GUARD_ERROR_CODES, GuardError, type GuardErrorCode } from "./errors.ts";
export type { Sha384 } from "./hash-fraction.ts";
export { delayOf } from "./manifest/dispersion.ts";
export {
  type Dispersion,
  MAX_TARGETS,
  type ManifestHeader,
  type ManifestTarget,
  manifestHeader,
  manifestTarget,
  placeName,
  principalName,
} from "./manifest/header.ts";
export { earliestOf, type Manifest, manifestReading, readManifest, writeManifest } from "./manifest/manifest.ts";
export { type AllowedAct, allowedAct, differenceOf, exactAct, isRepeatable } from "./operation/allowed-act.ts";
export { DIRECTIONS, type Direction, flowOf, isRestoring, takesOff } from "./operation/direction.ts";
export { AT_ONCE, UNTIL_RESTORED } from "./operation/grid-operations.ts";
export {
  actsOf,
  classOf,
  directionOf,
  effectOfAct,
  OPERATIONS,
  type Operation,
  type OperationName,
  operation,
  operationProblem,
  operationWords,
} from "./operation/operation.ts";
export { type AskedOn, ownMoment, ownMomentFields } from "./operation/own-moment.ts";
export { isOffAllowed } from "./rule/calendar.ts";
export { loadCapW, loadOf } from "./rule/caps.ts";
export type {
  Account,
  Finding,
  FleetFacts,
  GuardFacts,
  PartFacts,
  PrincipalFacts,
  RequestFacts,
  TargetFacts,
  Weather,
  WorkOrder,
} from "./rule/facts.ts";
export { isWaived, type Judgement, judge, judgeAtExecution } from "./rule/judge.ts";
export { calendarProblem } from "./rule/pace.ts";
export {
  isWatched,
  pickupDelays,
  pickupPerMinute,
  planWaves,
  soakOf,
  stopsBecause,
  type WaveCounts,
  type WavePlan,
} from "./rule/plan.ts";
export { MC_RULES, RULE_IDS, type RuleId, ruleWords } from "./rule/rules.ts";
export { valueProblem } from "./rule/values.ts";
export { asksWeather } from "./rule/weather.ts";
export { type CommandRules, commandRules, DEFAULT_COMMAND_RULES } from "./threshold/command-rules.ts";
export { type Approving, missingFor, type Requirement, requirement, requirementOf } from "./threshold/requirement.ts";
export { capOf, type Share, shareOf } from "./threshold/share.ts";
export {
  commandRulesOf,
  DEFAULT_THRESHOLDS,
  isNotLooser,
  type Thresholds,
  thresholds,
} from "./threshold/thresholds.ts";
export { OwnTime, type Stopped } from "./time/own-time.ts";
export { steadyClock } from "./time/steady-clock.ts";
export {
  type CommandToken,
  MOST_TOKEN_MILLISECONDS,
  readToken,
  signedPartOf,
  writeToken,
} from "./token/command-token.ts";
