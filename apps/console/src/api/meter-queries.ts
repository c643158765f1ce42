/** What the pages read of one meter's logs and power quality, and of what is done with it. */
import type {
  CampaignTargetDetail,
  DepartureList,
  MeterEventList,
  OperationList,
  PlausibilityView,
  QualityView,
} from "@meterkeep/api";
import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { getJson } from "./request.ts";

/** What can be done with meters: it changes with the version of the server only. */
export const meterOperationsQuery = queryOptions({
  queryKey: ["operations"],
  queryFn: ({ signal }) => getJson<OperationList>("/operations", signal),
  staleTime: Number.POSITIVE_INFINITY,
});

const UNDER_WAY: readonly string[] = ["waiting", "dispatched", "attempted"];

/** Whether the meter has still to be asked. */
export function isUnderWay(detail: CampaignTargetDetail | undefined): boolean {
  return detail !== undefined && UNDER_WAY.includes(detail.target.state);
}

/** What one meter of a campaign said; asked for again until it has said it. */
export const campaignTargetQuery = (id: string, systemTitle: string) =>
  queryOptions({
    queryKey: ["campaign", id, "target", systemTitle],
    queryFn: ({ signal }) => getJson<CampaignTargetDetail>(`/campaigns/${id}/targets/${systemTitle}`, signal),
    refetchInterval: ({ state }) => (isUnderWay(state.data) ? 1000 : false),
  });

/** The newest events of a meter's logs. */
export const meterEventsQuery = (systemTitle: string) =>
  queryOptions({
    queryKey: ["meter-events", systemTitle],
    queryFn: ({ signal }) => getJson<MeterEventList>(`/meters/${systemTitle}/events?limit=100`, signal),
  });

/** The newest power quality of a meter. */
export const powerQualityQuery = (systemTitle: string) =>
  queryOptions({
    queryKey: ["power-quality", systemTitle],
    queryFn: ({ signal }) => getJson<QualityView>(`/meters/${systemTitle}/power-quality?limit=144`, signal),
  });

/** So many findings are shown at once. */
const DISPUTES_PAGE = 8;

/** What disputes values of a meter, and what somebody has decided about it: the newest first, a page behind the other. */
export const disputesQuery = (systemTitle: string) =>
  infiniteQueryOptions({
    queryKey: ["disputes", systemTitle],
    queryFn: ({ signal, pageParam }) =>
      getJson<PlausibilityView>(
        `/plausibility?meter=${systemTitle}&disputes=true&limit=${DISPUTES_PAGE}${pageParam === undefined ? "" : `&before=${pageParam}`}`,
        signal,
      ),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: ({ findings, older }: PlausibilityView) => (older > 0 ? findings.at(-1)?.number : undefined),
  });

/** What was asked for of a meter that is to leave; asked for again while people sign elsewhere. */
export const departuresQuery = (systemTitle: string) =>
  queryOptions({
    queryKey: ["departures", systemTitle],
    queryFn: ({ signal }) => getJson<DepartureList>(`/departures?meter=${systemTitle}`, signal),
    refetchInterval: ({ state }) => (state.data?.departures.some((one) => one.state === "waiting") ? 5000 : false),
  });
