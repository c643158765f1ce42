export { type Billing, httpBilling, NO_BILLING } from "./campaign/billing.ts";
export { CampaignRunner } from "./campaign/campaign-runner.ts";
export { Campaigns } from "./campaign/campaigns.ts";
export { type CommandOperations, commandOperations } from "./campaign/command-operations.ts";
export { CommandSessions } from "./campaign/command-sessions.ts";
export { FleetCensus } from "./campaign/fleet-census.ts";
export { MeterGroups } from "./campaign/groups.ts";
export { GuardView } from "./campaign/guard-view.ts";
export { openPolicyKey, POLICY_SERVICE_NAME, type PolicyKey } from "./campaign/policy-key.ts";
export type { Holding, Requester } from "./campaign/proposal.ts";
export { HeardRefusals } from "./campaign/refusals.ts";
export { httpWeather, NO_WEATHER, type WeatherOffice } from "./campaign/weather.ts";
export { HEADEND_MIGRATIONS } from "./database/migrations.ts";
export { openScope, type Scope } from "./database/scope.ts";
export { firstRow, rows, type Sql, type SqlPool } from "./database/sql.ts";
export { refreshStatistics } from "./database/statistics.ts";
export { type RecordSettled, type SettledMeter, settleDisputes } from "./dispute/settle.ts";
export { codeOf, HEADEND_ERROR_CODES, HeadEndError, type HeadEndErrorCode } from "./errors.ts";
export { ChangedMeters } from "./event/changed-meters.ts";
export { EventHub, type EventLine, type EventSink, type EventWatcher, type SentEvent } from "./event/event-hub.ts";
export { EVENTS } from "./export/events.ts";
export { exportAs, exportAsTable } from "./export/export.ts";
export { type ExportWindow, exportedMeters } from "./export/exported-meter.ts";
export { INTERVALS } from "./export/intervals.ts";
export { REGISTERS } from "./export/registers.ts";
export { type FirmwareRelease, firmwareRelease, signedRelease, verifyFirmware } from "./firmware/release.ts";
export { type FirmwareShelf, folderShelf, type ShelfFiles, shelfOf } from "./firmware/shelf.ts";
export { parseAddresses, type TownAddresses } from "./inventory/addresses.ts";
export { parseConcentrators } from "./inventory/concentrators.ts";
export { MeterDirectory } from "./inventory/directory.ts";
export { type Grid, parseGrid } from "./inventory/grid.ts";
export { Inventory, type NewMeter } from "./inventory/inventory.ts";
export type { Address, Meter, MeterId } from "./inventory/meter.ts";
export { importShipment } from "./inventory/shipment.ts";
export { custodianCursor, type LedgerCursor } from "./ledger/custodian-cursor.ts";
export { NotedLedger } from "./ledger/noted-ledger.ts";
export { clockOperation } from "./operation/clock.ts";
export type { CommandTokens } from "./operation/command-seal.ts";
export { type MemoryOf, postgresMemory, volatileMemory } from "./operation/memory.ts";
export {
  commandClassOf,
  type Finding,
  type MeterMemory,
  type Operation,
  type OperationPreview,
  type OperationResult,
  type OperationSession,
  type ReadBack,
} from "./operation/operation.ts";
export {
  type OperationHeld,
  type OperationOrder,
  type OperationPorts,
  previewOperation,
  runOperation,
} from "./operation/operation-session.ts";
export { meterOperations, parametersOf } from "./operation/operations.ts";
export {
  ANNOUNCEMENT_KINDS,
  type AnnouncedReadings,
  type Announcement,
  type AnnouncementKind,
  type NumberedAnnouncement,
} from "./outbox/announcement.ts";
export type { Carrier, Consignment, Hearing } from "./outbox/carrier.ts";
export { Inbox, type InboxHead } from "./outbox/inbox.ts";
export { gatherNats, NATS_STREAM, type NatsLine, type NatsPlace, openNats } from "./outbox/nats.ts";
export { OUTBOX_DAYS, Outbox, type OutboxHead } from "./outbox/outbox.ts";
export { relay } from "./outbox/relay.ts";
export { Challenges } from "./people/challenges.ts";
export { type Login, Logins, type OpenedLogin } from "./people/logins.ts";
export { MachineTokens } from "./people/machine-tokens.ts";
export { type PasskeyRecord, Passkeys } from "./people/passkeys.ts";
export { People, type Person } from "./people/people.ts";
export type { PlausibilityFinding } from "./plausibility/finding.ts";
export { judgeDays } from "./plausibility/judge-days.ts";
export { judgeRereads } from "./plausibility/rereads.ts";
export { isGrave, PLAUSIBILITY_RULES } from "./plausibility/rules.ts";
export { plausibilityView } from "./plausibility/view.ts";
export { PlausibilityWatch } from "./plausibility/watch.ts";
export { findMeterProfile, METER_PROFILES, type MeterProfile } from "./profile/meter-profile.ts";
export type { ArrivedPush } from "./push/arrived-push.ts";
export { listenToGateway } from "./push/gateway.ts";
export { parseGatewayAddress } from "./push/gateway-address.ts";
export {
  createGatewayPolicy,
  DEFAULT_GATEWAY_NETWORKS,
  type GatewayPolicy,
} from "./push/gateway-policy.ts";
export { PushIntake } from "./push/intake.ts";
export { PushSources } from "./push/push-sources.ts";
export { PushStore } from "./push/push-store.ts";
export { ChannelTable } from "./reading/channels.ts";
export type { Stretch } from "./reading/coverage.ts";
export { firstOpenDay, packDays } from "./reading/day/pack-days.ts";
export { type Collecting, SETTLE_SECONDS, type WantedAt, wantedIntervals } from "./reading/gaps.ts";
export type { ReadResult } from "./reading/result.ts";
export { forgetReadings } from "./reading/retention.ts";
export { lastWholeDay, markSla, type SlaDay, slaBoard } from "./reading/sla.ts";
export { slaGaps } from "./reading/sla-gaps.ts";
export { counted } from "./reading/words.ts";
export { CALL_LIMITS, type CallCertificate, type CallLimits, Calls } from "./route/calls.ts";
export { type ConcentratorPlace, Concentrators } from "./route/concentrators.ts";
export { DestinationWatch, destinationIncidents } from "./route/destination-watch.ts";
export { networkOf, routeDial } from "./route/follow-route.ts";
export { Moves } from "./route/moves.ts";
export { NETWORK_TYPES, NETWORKS, type NetworkFacts, type NetworkType } from "./route/networks.ts";
export { parseRoute, type Route, routeText } from "./route/route.ts";
export { keepSimBudgets, parseSimBudgets } from "./route/sim-traffic.ts";
export { serveLine, switchboardDial } from "./route/switchboard.ts";
export { httpWakeUpGateway, type WakeUpGateway, WakeUps } from "./route/wake-up.ts";
export { evidenceHash, type LadderEntry, type SessionRecord } from "./session/ladder.ts";
export { type Dial, type MeterLine, SESSION_LIMITS, type SessionLimits } from "./session/line.ts";
export { thinOut } from "./session/retention.ts";
export { ScalerTable } from "./session/scaler-table.ts";
export { type ContactPorts, type ContactResult, carryContact } from "./takeover/contact.ts";
export { notInService } from "./takeover/not-in-service.ts";
export { queueRotationContacts } from "./takeover/rotation-contacts.ts";
export { TakeoverWatch } from "./takeover/takeover-watch.ts";
export { takeoverStage } from "./takeover/view.ts";
export { DAY_MILLISECONDS } from "./time/day.ts";
export { type SourceClock, type TownTime, townClock, WALL_SOURCE_CLOCK } from "./time/source-clock.ts";
export { type TimeZone, timeZone, UTC } from "./time/time-zone.ts";
export { judgeTrust, type Trust, type TrustFacts } from "./trust/trust.ts";
export { trustAt } from "./trust/trust-at.ts";
export { trustEvent, trustLine } from "./trust/trust-event.ts";
export { feederLines, overviewCounts } from "./view/counts.ts";
export { evidenceView } from "./view/evidence.ts";
export { type Load, loadOf } from "./view/load.ts";
export { type EventFilter, loggedEvents } from "./view/logged-events.ts";
export { meterDetail } from "./view/meter-detail.ts";
export { meterPage, meterSummaries } from "./view/meter-summary.ts";
export { missingIntervals } from "./view/missing.ts";
export { qualityReadings } from "./view/power-quality.ts";
export { profileReadings, registerReadings } from "./view/readings.ts";
export { sessionDetail, sessionsOf } from "./view/sessions.ts";
export { CustodianRoom } from "./work/custodian-room.ts";
export { dueAsHeard, LANES, type Lease, type OnDemand, type WorkQueue } from "./work/lease.ts";
export { listenForNews, type News, NewsSender, type SessionNews } from "./work/news.ts";
export { postgresWorkQueue } from "./work/postgres-queue.ts";
export { announceWorker } from "./work/presence.ts";
export { Results } from "./work/results.ts";
export { SessionRunner } from "./work/session-runner.ts";
export { sweepGaps } from "./work/sweep.ts";
export { Throttle } from "./work/throttle.ts";
export { Worker } from "./work/worker.ts";
