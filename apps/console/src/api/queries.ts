/** What the pages read, with the key under which each answer is kept. Nothing is read again by a timer: events of the stream say when. */
import type {
  AuthorityList,
  BlastRadius,
  CampaignList,
  CampaignTargetList,
  CampaignView,
  CertificateList,
  DrillList,
  DrillReport,
  EvidenceView,
  ExpiryBoard,
  FieldView,
  LedgerPage,
  LedgerProof,
  LedgerState,
  MachineTokenList,
  Me,
  MeterDetail,
  MeterGroupList,
  MeterList,
  OperationList,
  Overview,
  PasskeyList,
  PersonList,
  PlausibilityView,
  ProfileView,
  PublicConfig,
  PushSourceList,
  QuarantineList,
  ReadingList,
  RecentEventList,
  RevocationEffect,
  RevocationList,
  RuleList,
  SessionDetail,
  SessionList,
  SignInWays,
  SlaBoard,
  SlaGapList,
} from "@meterkeep/api";
import { queryOptions } from "@tanstack/react-query";
import { getJson } from "./request.ts";

export const overviewQuery = queryOptions({
  queryKey: ["overview"],
  queryFn: ({ signal }) => getJson<Overview>("/overview", signal),
});

/** A page of meters: `asked` as the route's query, `after` as the page before gave it. */
export const meterPageQuery = (asked: Readonly<Record<string, string>>, after: string) =>
  queryOptions({
    queryKey: ["meter-page", asked, after],
    queryFn: ({ signal }) =>
      getJson<MeterList>(`/meters?${new URLSearchParams({ ...asked, after, limit: "100" })}`, signal),
  });

/** Asked for again while keys in the field are open: their rotations are followed to the end. */
export const fieldQuery = queryOptions({
  queryKey: ["field"],
  queryFn: ({ signal }) => getJson<FieldView>("/field", signal),
  refetchInterval: 5000,
});

export const authoritiesQuery = queryOptions({
  queryKey: ["authorities"],
  queryFn: ({ signal }) => getJson<AuthorityList>("/pki/authorities", signal),
});

export const expiryQuery = queryOptions({
  queryKey: ["expiry"],
  queryFn: ({ signal }) => getJson<ExpiryBoard>("/pki/expiry", signal),
});

export const revocationsQuery = queryOptions({
  queryKey: ["revocations"],
  queryFn: ({ signal }) => getJson<RevocationList>("/pki/revocations", signal),
});

export const revocationEffectQuery = (authority: string) =>
  queryOptions({
    queryKey: ["revocation-effect", authority],
    queryFn: ({ signal }) => getJson<RevocationEffect>(`/pki/authorities/${authority}/effect`, signal),
  });

/** A page of certificates: `asked` as the route's query, `after` as the page before gave it. */
export const certificatesQuery = (asked: Readonly<Record<string, string>>, after: string | undefined) =>
  queryOptions({
    queryKey: ["certificates", asked, after ?? ""],
    queryFn: ({ signal }) =>
      getJson<CertificateList>(
        `/pki/certificates?${new URLSearchParams({ ...asked, ...(after !== undefined && { after }) })}`,
        signal,
      ),
  });

export const meQuery = queryOptions({ queryKey: ["me"], queryFn: ({ signal }) => getJson<Me>("/me", signal) });

/** Asked when the stream is refused: whether that is for want of a login. Never kept. */
export const stillSignedInQuery = queryOptions({
  queryKey: ["me", "still"],
  queryFn: ({ signal }) => getJson<Me>("/me", signal),
  staleTime: 0,
  retry: false,
});

export const configQuery = queryOptions({
  queryKey: ["config"],
  queryFn: ({ signal }) => getJson<PublicConfig>("/config/public", signal),
});

export const recentEventsQuery = queryOptions({
  queryKey: ["events"],
  queryFn: ({ signal }) => getJson<RecentEventList>("/events/recent?limit=100", signal),
});

export const meterQuery = (systemTitle: string) =>
  queryOptions({
    queryKey: ["meter", systemTitle],
    queryFn: ({ signal }) => getJson<MeterDetail>(`/meters/${systemTitle}`, signal),
  });

export const sessionsQuery = (systemTitle: string) =>
  queryOptions({
    queryKey: ["sessions", systemTitle],
    queryFn: ({ signal }) => getJson<SessionList>(`/meters/${systemTitle}/sessions?limit=30`, signal),
  });

export const sessionQuery = (id: string) =>
  queryOptions({
    queryKey: ["session", id],
    queryFn: ({ signal }) => getJson<SessionDetail>(`/sessions/${id}`, signal),
  });

/** Newest registers, everything the source ever said: the page marks what decisions may not use instead of hiding it. */
export const readingsQuery = (systemTitle: string) =>
  queryOptions({
    queryKey: ["readings", systemTitle],
    queryFn: ({ signal }) => getJson<ReadingList>(`/meters/${systemTitle}/readings?trust=all&limit=200`, signal),
  });

/** Intervals from `from` on (RFC 3339), marked with their trust. */
export const profileQuery = (systemTitle: string, from: string | undefined) =>
  queryOptions<ProfileView, Error, ProfileView, string[]>({
    queryKey: ["profile", systemTitle, from ?? "all"],
    // While another stretch of the same meter is on its way, the one at hand stays in sight.
    placeholderData: (before) => (before?.meter === systemTitle ? before : undefined),
    queryFn: ({ signal }) =>
      getJson<ProfileView>(
        `/meters/${systemTitle}/profile?trust=all&limit=2000${from === undefined ? "" : `&from=${from}`}`,
        signal,
      ),
  });

export const evidenceQuery = (hash: string) =>
  queryOptions({
    queryKey: ["evidence", hash],
    queryFn: ({ signal }) => getJson<EvidenceView>(`/evidence/${hash}`, signal),
  });

export const drillsQuery = queryOptions({
  queryKey: ["drills"],
  queryFn: ({ signal }) => getJson<DrillList>("/drills", signal),
});

export const drillQuery = (id: string) =>
  queryOptions({
    queryKey: ["drill", id],
    queryFn: ({ signal }) => getJson<DrillReport>(`/drills/${id}`, signal),
  });

/** Of an answer that is read again only when somebody asks for what is newer: nothing moves under the eyes, not even after a lost stream. */
export const SHOWN_WHEN_ASKED = { shown: "when asked" } as const;

export type LedgerSource = "custodian" | "head-end";

/** A page of a ledger, newest first, below `before`; the bookkeeping of sessions, pushes and counters only with `routine`. */
export const ledgerQuery = (source: LedgerSource, routine: boolean, before: number | undefined) =>
  queryOptions({
    queryKey: ["ledger", source, routine ? "all" : "without routine", before ?? "head"],
    queryFn: ({ signal }) =>
      getJson<LedgerPage>(
        `/ledger?source=${source}&routine=${routine}&limit=100&before=${before ?? Number.MAX_SAFE_INTEGER}`,
        signal,
      ),
  });

/** How the custodian's ledger is kept. Below the key of ledgers, so that its events refresh it. */
export const ledgerStateQuery = queryOptions({
  queryKey: ["ledger", "state"],
  queryFn: ({ signal }) => getJson<LedgerState>("/ledger/state", signal),
});

/** The hashes that lead from an entry of the custodian's ledger to the root of its first `size` entries: they never change. */
export const ledgerProofQuery = (sequence: number, size: number) =>
  queryOptions({
    queryKey: ["ledger-proof", sequence, size],
    queryFn: ({ signal }) => getJson<LedgerProof>(`/ledger/proof?sequence=${sequence}&size=${size}`, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });

export const pushSourcesQuery = queryOptions({
  queryKey: ["push-sources"],
  queryFn: ({ signal }) => getJson<PushSourceList>("/push-sources", signal),
});

export const tokensQuery = queryOptions({
  queryKey: ["tokens"],
  queryFn: ({ signal }) => getJson<MachineTokenList>("/tokens", signal),
});

export const passkeysQuery = queryOptions({
  queryKey: ["passkeys"],
  queryFn: ({ signal }) => getJson<PasskeyList>("/passkeys", signal),
});

export const peopleQuery = queryOptions({
  queryKey: ["people"],
  queryFn: ({ signal }) => getJson<PersonList>("/people", signal),
});

/** How people sign in here: the one answer that comes before a login. */
export const signInWaysQuery = queryOptions({
  queryKey: ["sign-in-ways"],
  queryFn: ({ signal }) => getJson<SignInWays>("/sign-in", signal),
});

/** What can be asked for: it changes with the version of the server only. */
export const operationsQuery = queryOptions({
  queryKey: ["operations"],
  queryFn: ({ signal }) => getJson<OperationList>("/operations", signal),
  staleTime: Number.POSITIVE_INFINITY,
});

export const groupsQuery = queryOptions({
  queryKey: ["groups"],
  queryFn: ({ signal }) => getJson<MeterGroupList>("/groups", signal),
});

export const campaignsQuery = queryOptions({
  queryKey: ["campaigns"],
  queryFn: ({ signal }) => getJson<CampaignList>("/campaigns?limit=100", signal),
});

export const campaignQuery = (id: string) =>
  queryOptions({
    queryKey: ["campaign", id],
    queryFn: ({ signal }) => getJson<CampaignView>(`/campaigns/${id}`, signal),
  });

export const campaignTargetsQuery = (id: string) =>
  queryOptions({
    queryKey: ["campaign", id, "targets"],
    queryFn: ({ signal }) => getJson<CampaignTargetList>(`/campaigns/${id}/targets?limit=200`, signal),
  });

export const quarantineQuery = queryOptions({
  queryKey: ["quarantine"],
  queryFn: ({ signal }) => getJson<QuarantineList>("/quarantine?limit=100", signal),
});

export const rulesQuery = queryOptions({
  queryKey: ["rules"],
  queryFn: ({ signal }) => getJson<RuleList>("/rules", signal),
});

export const blastQuery = queryOptions({
  queryKey: ["blast"],
  queryFn: ({ signal }) => getJson<BlastRadius>("/blast-radius", signal),
});

export const slaQuery = queryOptions({
  queryKey: ["sla"],
  queryFn: ({ signal }) => getJson<SlaBoard>("/sla", signal),
  // A count of a moment: asked anew whenever the page is opened.
  staleTime: 0,
});

/** Below the board's key: what is there and what of it is plausible are counted again together. */
export const plausibilityQuery = queryOptions({
  queryKey: ["sla", "plausibility"],
  queryFn: ({ signal }) => getJson<PlausibilityView>("/plausibility?limit=100", signal),
  staleTime: 0,
});

/** Below the board's key, so that both are counted again together. */
export const slaGapsQuery = queryOptions({
  queryKey: ["sla", "gaps"],
  queryFn: ({ signal }) => getJson<SlaGapList>("/sla/gaps?limit=200", signal),
  staleTime: 0,
});
