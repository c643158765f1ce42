import type { KeyDescription, MeterDetail, MeterSummary, ProtectionGrade, TrustStateName } from "@meterkeep/api";
import type {
  KeyDescription as CustodianKey,
  EnrolmentState,
  TakeoverPhase,
  TakeoverStepDone,
  TakeoverVerdict,
} from "@meterkeep/api/custodian";
import type { Scope } from "../database/scope.ts";
import { firstRow, rows, type Sql } from "../database/sql.ts";
import type { Meter } from "../inventory/meter.ts";
import { findMeterProfile, type MeterProfile } from "../profile/meter-profile.ts";
import { heldSpan } from "../reading/held-intervals.ts";
import { quantityWords } from "../reading/words.ts";
import { destinationIncidents } from "../route/destination-watch.ts";
import { type Route, routeText } from "../route/route.ts";
import { TAKEOVER_LADDER, takeoverStage } from "../takeover/view.ts";
import type { MissingIntervals } from "./missing.ts";
import { optional, optionalTime, timeText } from "./time-text.ts";

/** What the page of one meter shows, from the inventory's meter, its line, and its keys as the custodian describes them. */
export async function meterDetail(
  sql: Sql,
  scope: Scope,
  meter: Meter,
  summary: MeterSummary,
  keys: readonly CustodianKey[],
  missing: MissingIntervals,
  enrolment: EnrolmentState | undefined,
): Promise<MeterDetail> {
  const at = [...scope.place, meter.id];
  const takeover = (await firstRow<TakeoverRow>(sql, SELECT_TAKEOVER, at)) as TakeoverRow;
  const history = await rows<TrustRow>(sql, SELECT_TRUST, at);
  const sources = await rows<SourceRow>(sql, SELECT_SOURCES, at);
  const held = await heldSpan(sql, scope, meter.id);
  const incidents = await destinationIncidents(sql, scope, meter.id);
  const last = await firstRow<{ session_id: string }>(sql, SELECT_LAST_SESSION, at);
  const profile = findMeterProfile(meter.profile);
  return {
    meter: summary,
    identity: identityOf(meter),
    keys: keys.map(keyOf),
    trust: trustOf(summary, meter, history),
    takeover: takeoverOf(takeover),
    ...optional("enrolment", enrolment && enrolmentOf(enrolment)),
    ...optional("lastSession", last?.session_id),
    destinations: destinationsOf(meter, sources, takeover),
    incidents: incidents.map(({ at: happened, ...incident }) => ({ ...incident, at: timeText(happened) })),
    ...(profile === undefined ? {} : { profile: profileOf(profile) }),
    intervals: {
      held: held.instants,
      missing: missing.load,
      ...optional("missingQuality", missing.quality),
      ...(held.oldest === undefined ? {} : { oldest: timeText(held.oldest) }),
      ...(held.newest === undefined ? {} : { newest: timeText(held.newest) }),
    },
  };
}

function identityOf(meter: Meter): MeterDetail["identity"] {
  return {
    systemTitle: meter.title,
    manufacturer: meter.manufacturer,
    ...optional("logicalDeviceName", meter.logicalDeviceName),
    ...optional("serialNumber", meter.serialNumber),
    ...optional("model", meter.model),
    ...optional("hardwareRevision", meter.hardwareRevision),
    ...optional("firmware", meter.firmware),
    securitySuite: meter.securitySuite,
    ...optional("shipment", meter.shipment),
    holders: [...meter.holders],
    importedAt: timeText(meter.importedAt),
  };
}

function keyOf(key: CustodianKey): KeyDescription {
  return {
    purpose: key.purpose,
    version: key.version,
    state: key.state,
    origin: key.origin,
    createdAt: timeText(key.createdAt),
    ...(key.provenAt === undefined ? {} : { provenAt: timeText(key.provenAt) }),
    ...(key.setup === undefined ? {} : { setup: key.setup }),
  };
}

function trustOf(summary: MeterSummary, meter: Meter, history: readonly TrustRow[]): MeterDetail["trust"] {
  const changes = history.map((row, at) => ({
    at: timeText(row.decided_at),
    ...optional("from", history[at - 1]?.state),
    to: row.state,
    sentence: row.sentence,
  }));
  return {
    state: summary.trust,
    sentence: summary.trustSentence,
    since: changes.at(-1)?.at ?? timeText(meter.importedAt),
    history: changes.reverse(),
  };
}

function takeoverOf(row: TakeoverRow): MeterDetail["takeover"] {
  const stage = takeoverStage(row.phase, row.verdict);
  return {
    stage,
    phase: row.phase,
    grade: row.grade,
    verdict: row.verdict,
    ...optionalTime("provenAt", row.proven_at),
    sentence: row.sentence === "" ? "Nobody has spoken with it yet." : row.sentence,
    steps:
      row.phase === "not-applicable"
        ? []
        : TAKEOVER_LADDER.filter(({ step, every }) => every || row.steps.some((done) => done.step === step)).map(
            ({ step, sentence }) => stepOf(row, step, sentence),
          ),
  };
}

/** 9999-12-31T23:59:59Z: the certificate has no end (RFC 5280 clause 4.1.2.5). */
const NO_END_MILLISECONDS = Date.UTC(9999, 11, 31);

function enrolmentOf({ phase, anchor, sentence, signs, provenAt, certificates, steps }: EnrolmentState) {
  return {
    phase,
    anchor,
    sentence,
    signs,
    ...(provenAt === undefined ? {} : { provenAt: timeText(provenAt) }),
    certificates: certificates.map(({ notBefore, notAfter, ...same }) => ({
      ...same,
      notBefore: timeText(notBefore),
      ...(notAfter >= NO_END_MILLISECONDS ? {} : { notAfter: timeText(notAfter) }),
    })),
    steps: steps.map(({ at, ...same }) => ({ ...same, at: timeText(at) })),
  };
}

/** A step is done when it passed last; what failed last and has not passed since is where it stopped. */
function stepOf(row: TakeoverRow, step: string, sentence: string): MeterDetail["takeover"]["steps"][number] {
  const ends = endsOf(row.steps.filter((done) => done.step === step));
  const isOver = row.phase === "done";
  const last = ends.find(({ outcome }) => isOver && outcome !== "passed") ?? ends[0];
  const isCurrent = row.step === step && !isOver;
  const stopped = last?.outcome === "failed" || last?.outcome === "unproven" || (isOver && last !== undefined);
  const state = last?.outcome === "passed" ? "done" : stopped ? "failed" : isCurrent ? "current" : "ahead";
  return { step, sentence: last?.detail || sentence, state, ...(last === undefined ? {} : { at: timeText(last.at) }) };
}

/** What a step came to, the last first; for each client of a meter, and each security setup, it comes to something of its own. */
function endsOf(done: TakeoverRow["steps"]): TakeoverRow["steps"] {
  const subject = (detail: string) => /^(client|security setup) \d+/.exec(detail)?.[0] ?? "";
  return [...new Map(done.map((each) => [subject(each.detail), each])).values()].reverse();
}

function destinationsOf(
  meter: Meter,
  sources: readonly SourceRow[],
  takeover: TakeoverRow,
): MeterDetail["destinations"] {
  const known: MeterDetail["destinations"] = [];
  if (meter.route !== undefined)
    known.push({
      purpose: "read",
      // Where it only says that it is, nobody has met it yet.
      address: routeText(
        meter.moving === undefined ? meter.route : ({ ...meter.route, host: meter.moving.provenHost } as Route),
      ),
      authenticated: takeover.verdict === "proven",
    });
  if (meter.depotAddress !== undefined)
    known.push({
      purpose: "depot",
      address: `${meter.depotAddress.host}:${meter.depotAddress.port}`,
      authenticated: takeover.grade === "shielded" || takeover.grade === "agreed",
    });
  for (const source of sources)
    known.push({
      purpose: "push-source",
      address: `${source.transport}://${source.address}`,
      firstSeenAt: timeText(source.first_seen),
      lastSeenAt: timeText(source.last_seen),
      authenticated: source.protection === "authenticated",
    });
  return known;
}

function profileOf(profile: MeterProfile): NonNullable<MeterDetail["profile"]> {
  return {
    id: profile.id,
    name: profile.name,
    publicClient: profile.clients.public,
    managementClient: profile.clients.management,
    counterObject: profile.counterObject,
    maxPduSizeBytes: profile.maxPduSizeBytes,
    securityHeader: profile.securityHeader,
    loadProfile: profile.loadProfile.obis,
    periodSeconds: profile.loadProfile.periodSeconds,
    access: profile.loadProfile.access,
    columns: profile.loadProfile.columns.flatMap((column) =>
      typeof column === "string" ? [] : [{ obis: column.obis, name: quantityWords(column.obis) }],
    ),
  };
}

interface TakeoverRow {
  readonly phase: TakeoverPhase;
  readonly step: string;
  readonly grade: "none" | "exposed" | "shielded" | "agreed";
  readonly verdict: TakeoverVerdict;
  readonly proven_at: Date | null;
  readonly sentence: string;
  readonly steps: readonly TakeoverStepDone[];
}
interface TrustRow {
  readonly decided_at: Date;
  readonly state: TrustStateName;
  readonly sentence: string;
}
interface SourceRow {
  readonly address: string;
  readonly transport: string;
  readonly protection: ProtectionGrade | null;
  readonly first_seen: Date;
  readonly last_seen: Date;
}

const WHERE = "where utility_id = $1 and island_id = $2 and meter_id = $3";
const SELECT_TAKEOVER = `select phase, step, grade, verdict, proven_at, sentence, steps from takeovers ${WHERE}`;
const SELECT_TRUST = `select decided_at, state, sentence from trust_history ${WHERE} order by change_id`;
const SELECT_SOURCES = `select address, transport, protection, first_seen, last_seen from push_sources ${WHERE}
  order by last_seen desc limit 20`;
const SELECT_LAST_SESSION = `select session_id from sessions ${WHERE} order by started_at desc limit 1`;
