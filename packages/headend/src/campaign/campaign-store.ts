import { createHash, randomBytes, randomUUID } from "node:crypto";
import { loadOf, type ManifestHeader, MC_RULES, writeManifest } from "@meterkeep/guard";
import type { Scope } from "../database/scope.ts";
import type { Sql } from "../database/sql.ts";
import type { Proposal, Requester } from "./proposal.ts";

/** What is kept of a request besides what was proposed. */
export interface Keeping {
  readonly requester: Requester;
  readonly at: number;
  /** The quarantine from which another person has released it. */
  readonly released: { readonly from: string; readonly by: string } | undefined;
}

/** Writes a campaign with its targets, and what of it was refused. Inside the caller's transaction. */
export async function insertCampaign(sql: Sql, scope: Scope, proposal: Proposal, keeping: Keeping): Promise<void> {
  const { id, order, command, judgement, targets, dryRun } = proposal;
  const goesOn = judgement.verdict === "goes-on";
  const manifest = goesOn && command !== undefined ? manifestOf(scope, proposal, keeping) : undefined;
  const { state, sentence } = firstState(proposal, manifest !== undefined);
  await sql.query(INSERT_CAMPAIGN, [
    ...scope.place,
    id,
    order.operation,
    JSON.stringify(order.parameters ?? {}),
    proposal.words,
    proposal.commandClass,
    proposal.direction,
    JSON.stringify(order.selection),
    proposal.sameness,
    keeping.requester.name,
    keeping.requester.id,
    order.reason,
    order.note ?? "",
    order.workOrder ?? "",
    order.urgency ?? "ordinary",
    new Date(keeping.at),
    new Date(proposal.notBefore),
    new Date(proposal.notAfter),
    JSON.stringify(dryRun),
    targets.length,
    proposal.loadW,
    JSON.stringify(proposal.waves),
    manifest === undefined ? null : createHash("sha384").update(manifest).digest("hex"),
    manifest ?? null,
    state,
    sentence,
    keeping.released?.from ?? null,
    keeping.released?.by ?? null,
    order.look === true,
    keeping.requester.network ?? "",
  ]);
  if (goesOn) await insertTargets(sql, scope, proposal);
  await writeHistory(sql, scope, id, { at: keeping.at, by: keeping.requester.name, what: "asked", sentence });
  if (keeping.released !== undefined)
    await writeHistory(sql, scope, id, {
      at: keeping.at,
      by: keeping.released.by,
      what: "released",
      sentence: `Released from quarantine ${keeping.released.from}.`,
    });
  await insertQuarantine(sql, scope, proposal, keeping.at);
}

/** One more line of what was decided about a campaign. */
export async function writeHistory(
  sql: Sql,
  scope: Scope,
  campaign: string,
  entry: { readonly at: number; readonly by: string; readonly what: string; readonly sentence: string },
): Promise<void> {
  await sql.query(
    `insert into campaign_history (utility_id, island_id, campaign_id, at, by_whom, what, sentence)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [...scope.place, campaign, new Date(entry.at), entry.by, entry.what, entry.sentence],
  );
}

/** Keeps something that was refused. */
export async function insertQuarantineItem(
  sql: Sql,
  scope: Scope,
  item: {
    readonly campaign: string;
    readonly rules: readonly string[];
    readonly sentence: string;
    readonly meters: readonly string[];
    readonly loadW: number;
    readonly releasable: boolean;
    readonly at: number;
  },
): Promise<void> {
  await sql.query(
    `insert into command_quarantine (utility_id, island_id, item_id, campaign_id, rules, sentence, meters, load_w,
       releasable, at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      ...scope.place,
      randomUUID(),
      item.campaign,
      item.rules,
      item.sentence,
      item.meters,
      item.loadW,
      item.releasable,
      new Date(item.at),
    ],
  );
}

function firstState({ judgement, dryRun }: Proposal, hasManifest: boolean) {
  if (judgement.verdict === "quarantined")
    return { state: "quarantined", sentence: "Quarantined by the guard as a whole." };
  if (judgement.verdict === "nothing-left") return { state: "quarantined", sentence: "No meter is left of it." };
  if (!hasManifest) return { state: "running", sentence: "It only reads: nobody has to approve it." };
  const people = dryRun.people === 1 ? "1 person has" : `${dryRun.people} people have`;
  return { state: "awaiting-approval", sentence: `${people} to approve it at the custodian.` };
}

function manifestOf(scope: Scope, proposal: Proposal, { requester, at }: Keeping): Uint8Array {
  const { order, command, targets, waves, dispersion, notBefore, notAfter, loadW } = proposal;
  const header: ManifestHeader = {
    format: "meterkeep-manifest-1",
    utility: scope.utility,
    island: scope.island,
    operation: command as ManifestHeader["operation"],
    targets: targets.length,
    loadAtRiskW: loadW,
    notBefore,
    notAfter,
    requester: requester.name,
    reason: `${order.reason}${order.note === undefined ? "" : `: ${order.note}`}`,
    workOrder: order.workOrder ?? "",
    createdAt: at,
    dispersion,
    waves,
    doubted: proposal.doubted,
    nonce: randomBytes(16).toString("hex"),
  };
  return writeManifest(
    header,
    targets.map(({ systemTitle, wave, delaySeconds, feeder, transformer, loadW: load }) => ({
      systemTitle,
      wave,
      delaySeconds,
      feeder,
      transformer,
      loadW: load,
    })),
  );
}

async function insertTargets(sql: Sql, scope: Scope, { id, targets, judgement, selected }: Proposal): Promise<void> {
  const setAside = new Map(
    judgement.findings
      .filter(({ about }) => about === "meters")
      .flatMap(({ rule, sentence, meters }) =>
        meters.map(({ systemTitle }) => [systemTitle, { rule, sentence }] as const),
      ),
  );
  const aside = selected.filter(({ systemTitle }) => setAside.has(systemTitle));
  const all = [
    ...targets.map((target) => ({ ...target, state: "waiting", rule: null, sentence: "" })),
    ...aside.map((target) => ({
      ...target,
      wave: 0,
      delaySeconds: 0,
      state: "quarantined",
      ...(setAside.get(target.systemTitle) ?? { rule: null, sentence: "" }),
    })),
  ];
  await sql.query(INSERT_TARGETS, [
    ...scope.place,
    id,
    all.map(({ meter }) => meter),
    all.map(({ systemTitle }) => systemTitle),
    all.map(({ feeder }) => feeder),
    all.map(({ transformer }) => transformer),
    all.map(({ loadW }) => loadW),
    all.map(({ wave }) => wave),
    all.map(({ delaySeconds }) => delaySeconds),
    all.map(({ state }) => state),
    all.map(({ rule }) => rule),
    all.map(({ sentence }) => sentence),
  ]);
}

/** A request that is held as a whole is one item; meters that were set aside are one by each rule. */
async function insertQuarantine(
  sql: Sql,
  scope: Scope,
  { id, judgement, dryRun }: Proposal,
  at: number,
): Promise<void> {
  const held = judgement.findings.filter(({ effect }) => effect !== "warn");
  const whole = held.filter(({ about }) => about === "request");
  const isLive = (rule: string): boolean =>
    dryRun.findings.some(
      (finding) => finding.rule === rule && finding.about === "request" && finding.effect !== "warn",
    );
  const live = whole.filter(({ rule }) => isLive(rule));
  if (judgement.verdict === "quarantined" && live.length > 0)
    await insertQuarantineItem(sql, scope, {
      campaign: id,
      rules: [...new Set(live.map(({ rule }) => rule))],
      sentence: [...new Set(live.map(({ sentence }) => sentence))].slice(0, 8).join("; "),
      meters: judgement.targets.map(({ systemTitle }) => systemTitle),
      loadW: loadOf(judgement.targets),
      releasable: live.every(({ rule, effect }) => effect === "quarantine" && MC_RULES[rule].releasable),
      at,
    });
  for (const { about, rule, sentence, meters } of held)
    if (about === "meters")
      await insertQuarantineItem(sql, scope, {
        campaign: id,
        rules: [rule],
        sentence,
        meters: meters.map(({ systemTitle }) => systemTitle),
        loadW: loadOf(meters),
        releasable: false,
        at,
      });
}

const INSERT_CAMPAIGN = `
  insert into campaigns (utility_id, island_id, campaign_id, operation, parameters, words, command_class, direction,
    selection, sameness, requester, requester_id, reason, note, work_order, urgency, created_at, not_before, not_after,
    dry_run, targets, load_w, waves, manifest_hash, manifest, state, sentence, released_from, released_by,
    looks, network)
  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
    $25, $26, $27, $28, $29, $30, $31)`;

const INSERT_TARGETS = `
  insert into campaign_targets (utility_id, island_id, campaign_id, meter_id, system_title, feeder, transformer, load_w,
    wave, delay_seconds, state, rule, sentence)
  select $1, $2, $3, t.* from unnest($4::integer[], $5::text[], $6::text[], $7::text[], $8::integer[], $9::smallint[],
    $10::integer[], $11::text[], $12::text[], $13::text[]) as t`;
