import type { Custodian, CustodianResponse, ExposedMeter, RepeatWay } from "@meterkeep/api/custodian";
import { type SystemTitle, systemTitleText } from "@meterkeep/dlms";

/** Meters that are listed by name; `--json` has all of them. */
const MOST_LISTED = 50;

/** Every meter whose takeover is graded exposed, those first whose factory keys most organisations could have held. */
export async function exposedMeters(custodian: Pick<Custodian, "exposedMeters">): Promise<ExposedMeter[]> {
  const found: ExposedMeter[] = [];
  for (let after: SystemTitle | undefined; ; ) {
    const page = await custodian.exposedMeters({ after });
    found.push(...page.meters);
    after = page.next;
    if (after === undefined) return found.sort((a, b) => b.holders.length - a.holders.length);
  }
}

/** What a meter needs that cannot agree on keys now. */
const NEEDS: Readonly<Partial<Record<RepeatWay, string>>> = {
  enrol: "certificates first (npx meterkeep keys enrol)",
  visit: "the depot: its keys changed where nobody can record",
  setups: "its other security setups closed, by whoever has their keys: they are not taken over from here",
};

/** How many are exposed, to whom, and what becomes of them. */
export function exposedText(meters: readonly ExposedMeter[]): string {
  const count = (way: RepeatWay) => meters.filter((one) => one.way === way).length;
  const able = count("agreement");
  const numbers = [
    `Exposed    ${meters.length}`,
    `Agreement  ${able} can agree on new keys and would be planned, those first whose keys most organisations had`,
    `Under way  ${count("under-way")} have a change of keys open`,
    `Enrol      ${count("enrol")} can agree once they hold certificates: npx meterkeep keys enrol`,
    `Visit      ${count("visit")} cannot: new keys under exposed ones would be exposed again`,
    `Setups     ${count("setups")} have a further security setup, which is not taken over, and are open there`,
  ];
  const perHolder = new Map<string, number>();
  for (const holder of meters.flatMap(({ holders }) => [...new Set(holders)]))
    perHolder.set(holder, (perHolder.get(holder) ?? 0) + 1);
  const organisations = [...perHolder]
    .sort(([a, more], [b, fewer]) => fewer - more || a.localeCompare(b))
    .map(([holder, had]) => `  ${had}  ${holder}`);
  const unable = meters.filter(({ way }) => NEEDS[way] !== undefined);
  const listed = unable
    .slice(0, MOST_LISTED)
    .map(
      ({ meter, way, holders }) =>
        `  ${systemTitleText(meter)}  ${NEEDS[way]}; its keys were with ${holders.join(", ") || "nobody named"}`,
    );
  const rest = unable.length - listed.length;
  return [
    ...numbers,
    ...(organisations.length > 0 ? ["Meters whose factory keys they could have held:", ...organisations] : []),
    ...(listed.length > 0 ? ["What the others need:", ...listed] : []),
    ...(rest > 0 ? [`  and ${rest} more: --json has all`] : []),
    "",
  ].join("\n");
}

/** What came of planning repeats. */
export function repeatsText({ planned, asked, unable = 0 }: CustodianResponse<"planRotations">): string {
  const open = asked - planned - unable;
  return [
    `New keys are planned for ${planned} of ${asked} exposed ${asked === 1 ? "meter" : "meters"}, on masters to be agreed on.`,
    ...(open > 0 ? [`${open} have a change open already, or their last one has failed.`] : []),
    ...(unable > 0 ? [`${unable} cannot agree and are left as they are: --dry-run lists what each needs.`] : []),
    "How it goes: npx meterkeep keys status\n",
  ].join(" ");
}
