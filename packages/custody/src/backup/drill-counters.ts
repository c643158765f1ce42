import type { CustodianRequest, CustodianResponse } from "@meterkeep/api/custodian";
import { systemTitleText } from "@meterkeep/dlms";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import type { ConversationDependencies } from "../conversation/dependencies.ts";
import { FIRST_SETUP, type SetupPlace } from "../store/records.ts";
import { journalOf } from "../takeover/view.ts";

/** An association takes three counters; a drill tries a few combinations of keys. */
const COUNTERS = 32;

/** Above all that there are. */
const NO_COUNTER = 0xffff_ffff;

/**
 * Sets counters of meters aside for a drill: a restored copy of this custody may use them, and neither this one nor any
 * other ever will. Of a meter that has left there are none.
 */
export async function drillCounters(
  dependencies: DrillDependencies,
  request: CustodianRequest<"drillCounters">,
  caller: Caller,
): Promise<CustodianResponse<"drillCounters">> {
  const { leaving } = dependencies;
  return leaving.during(request.meters.map(systemTitleText), () => setAside(dependencies, request, caller));
}

type DrillDependencies = Pick<ConversationDependencies, "files" | "sendCounters" | "committer" | "leaving" | "now">;

async function setAside(
  { files, sendCounters, committer, now }: DrillDependencies,
  { meters, setup = FIRST_SETUP }: CustodianRequest<"drillCounters">,
  caller: Caller,
): Promise<CustodianResponse<"drillCounters">> {
  const counters: CustodianResponse<"drillCounters">["counters"][number][] = [];
  for (const meter of meters) {
    const title = systemTitleText(meter);
    const file = await files.load(title);
    if (file === undefined) throw new CallRefusal("unknown-meter", `meter ${title} is not in custody`);
    const { utility, island, standing } = file.meter;
    // Neither this custody nor a copy of it gives out any of a meter that has left: they are its next owner's.
    if (standing !== undefined) {
      counters.push({ meter, first: NO_COUNTER, count: 0 });
      continue;
    }
    const place: SetupPlace = { utility, island, systemTitle: title, setup };
    const keyVersion = journalOf(file, setup).journal.belief[0][0] as number;
    const first = await sendCounters.take(place, keyVersion, COUNTERS);
    const body = { first, count: COUNTERS, ...(setup !== FIRST_SETUP && { setup }) };
    await committer.submit({
      entries: [
        { at: now(), kind: "drill-counters-set-aside", principal: caller.name, utility, island, meter: title, body },
      ],
    });
    counters.push({ meter, first, count: COUNTERS });
  }
  return { counters };
}
