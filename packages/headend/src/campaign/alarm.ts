import type { CommandOrder, Selection } from "@meterkeep/api";
import { capOf, commandRulesOf, directionOf, loadCapW, takesOff } from "@meterkeep/guard";
import { firstRow } from "../database/sql.ts";
import { METER_PROFILES } from "../profile/meter-profile.ts";
import { commanded } from "./command-operations.ts";
import { isOfInjection, UNKNOWN_LOAD_W } from "./expansion.ts";
import { anyCommand, type ProposalPorts } from "./proposal.ts";
import { selectionOn } from "./selection.ts";

/** What a request would do that is far beyond a day's caps, said before it is looked at any closer. */
export interface CommandAlarm {
  readonly rules: readonly ("MC-01" | "MC-04")[];
  readonly words: string;
  readonly meters: number;
  readonly loadW: number;
  readonly most: number;
}

/**
 * Whether a request could switch off more than a day allows. It counts, and expands nothing: whoever asks for 300 000 homes is
 * told of while the request is still being read, and not once all of it was judged and written down.
 *
 * @throws HeadEndError `operation-invalid`
 */
export async function alarmOf(
  ports: Pick<ProposalPorts, "sql" | "scope" | "operations" | "census" | "holding">,
  order: CommandOrder,
): Promise<CommandAlarm | undefined> {
  if (order.look === true) return undefined;
  const what = commanded(ports.operations, order.operation, order.parameters ?? {});
  const command = anyCommand(what, Object.keys(METER_PROFILES));
  if (command === undefined || !takesOff(directionOf(command))) return undefined;
  const isFeed = isOfInjection(directionOf(command));
  const { thresholds } = await ports.holding();
  const parts = await ports.census.parts();
  const homes = parts.reduce((sum, { meters }) => sum + meters, 0);
  const islandW = parts.reduce((sum, part) => sum + (isFeed ? part.feedW : part.loadW), 0);
  const { meters, loadW } = await selected(ports, order.selection as Selection, isFeed);
  const most = capOf(thresholds.offPerDay, homes);
  const mostW = loadCapW(islandW, commandRulesOf(thresholds));
  const rules = [
    ...(meters > most ? (["MC-01"] as const) : []),
    ...(meters > 1 && loadW > mostW ? (["MC-04"] as const) : []),
  ];
  if (rules.length === 0) return undefined;
  return { rules, words: what.operation.words(what.parameters), meters, loadW, most };
}

async function selected(
  { sql, scope }: Pick<ProposalPorts, "sql" | "scope">,
  selection: Selection,
  isFeed: boolean,
): Promise<{ readonly meters: number; readonly loadW: number }> {
  const chosen = selectionOn(selection, 5);
  const row = await firstRow<{ readonly meters: string; readonly load_w: string }>(
    sql,
    `${SELECTED} and ${chosen.sql}`,
    [...scope.place, UNKNOWN_LOAD_W, isFeed ? -1 : 1, ...chosen.values],
  );
  return { meters: Number(row?.meters ?? 0), loadW: Math.round(Number(row?.load_w ?? 0)) };
}

const SELECTED = `
  select count(*) as meters, coalesce(sum(greatest(coalesce($4::integer * l.power_w, $3::integer), 0)), 0) as load_w
  from meters m left join meter_latest l using (utility_id, island_id, meter_id)
  where m.utility_id = $1 and m.island_id = $2 and m.role = 'home'`;
