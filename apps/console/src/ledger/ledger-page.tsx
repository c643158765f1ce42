/** The two audit logs, newest first, the leaf of each entry computed again in this browser. */
import type { LedgerPage as Page } from "@meterkeep/api";
import { IconLink, IconLinkOff } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { type LedgerSource, ledgerQuery, SHOWN_WHEN_ASKED } from "../api/queries.ts";
import { formatCount } from "../format/quantity.ts";
import { useLive } from "../live/live-context.tsx";
import { Empty } from "../shell/empty.tsx";
import { Failure } from "../shell/failure.tsx";
import { PageHead } from "../shell/page-head.tsx";
import { usePageTitle } from "../shell/page-title.ts";
import { Panel } from "../shell/panel.tsx";
import { ShowMore } from "../shell/show-more.tsx";
import { checkLeaves, type LeafCheck } from "./leaves.ts";
import { LedgerEntry } from "./ledger-entry.tsx";
import { TreePanel } from "./tree-panel.tsx";
import "./ledger.css";

const SOURCES = {
  custodian: "Custodian",
  "head-end": "Head-end",
} as const;

const SAYS = {
  custodian: "Every key use and every refusal: one entry before a session's first octet, one after its last.",
  "head-end": "People, tokens, meters and every change of trust.",
} as const;

/** So many entries make a page; fewer, and it looks further back by itself, this many pages at most. */
const ENOUGH = 25;
const MOST_PAGES = 8;

export function LedgerPage() {
  const [source, setSource] = useState<LedgerSource>("custodian");
  const [wanted, setRoutine] = useState<boolean>();
  // Where nothing but bookkeeping is in sight, it is shown until somebody says otherwise: an empty page tells nothing.
  const [nothingElse, setNothingElse] = useState(false);
  const routine = source === "custodian" && (wanted ?? nothingElse);
  const { data, error, fetchNextPage, hasNextPage, isFetchingNextPage, refetch } = useInfiniteQuery({
    queryKey: ["ledger", source, routine, "pages"],
    queryFn: ({ pageParam, client }) => client.fetchQuery({ ...ledgerQuery(source, routine, pageParam), staleTime: 0 }),
    initialPageParam: undefined as number | undefined,
    getNextPageParam: ({ older }: Page) => older,
    // Read again, each page would begin elsewhere, and an entry that is open at the end of the last would be gone.
    meta: SHOWN_WHEN_ASKED,
  });
  usePageTitle(`${SOURCES[source]}'s ledger`);
  const entries = useMemo(() => data?.pages.flatMap((page) => page.entries) ?? [], [data]);
  const head = data?.pages[0]?.head;
  // Where bookkeeping hides almost everything, one page that looked back as far as it may can be almost empty.
  const isScant = entries.length < ENOUGH && (data?.pages.length ?? MOST_PAGES) < MOST_PAGES;
  useEffect(() => {
    if (isScant && hasNextPage && !isFetchingNextPage && error === null) void fetchNextPage();
  }, [isScant, hasNextPage, isFetchingNextPage, error, fetchNextPage]);
  const isBare = data !== undefined && entries.length === 0 && (head?.size ?? 0) > 0 && !(isScant && hasNextPage);
  useEffect(() => {
    if (isBare) setNothingElse(true);
  }, [isBare]);
  const check = useLeafCheck(entries, !routine);
  const newer = useNewer(source, entries[0]?.sequence);

  return (
    <>
      <PageHead title="Ledger" lede={<>{SAYS[source]} What cannot be written here does not happen.</>}>
        <fieldset className="choice" aria-label="Whose ledger">
          {(["custodian", "head-end"] as const).map((one) => (
            <button key={one} type="button" aria-pressed={source === one} onClick={() => setSource(one)}>
              {SOURCES[one]}
            </button>
          ))}
        </fieldset>
      </PageHead>
      {source === "custodian" ? <TreePanel /> : null}
      <Panel
        name="entries"
        title={<>{SOURCES[source]}'s entries</>}
        beside={
          <>
            {entries.length === 0 ? null : <LeafVerdict check={check} />}
            {source === "custodian" ? (
              <label className="ledger-routine">
                <input
                  type="checkbox"
                  checked={routine}
                  onChange={(event) => setRoutine(event.currentTarget.checked)}
                />{" "}
                with the bookkeeping of sessions, pushes and counters
              </label>
            ) : null}
            {newer > 0 ? (
              <button type="button" className="text-button" onClick={() => void refetch()}>
                {routine ? `Show ${formatCount(newer)} newer` : "Show newer"}
              </button>
            ) : head === undefined ? null : (
              <span className="dim">
                {formatCount(head.size)} entries, root <code>{head.root.slice(0, 12)}</code>
              </span>
            )}
          </>
        }
      >
        {error !== null ? (
          <Failure error={error} retry={() => void refetch()} />
        ) : entries.length === 0 ? (
          <div className="panel-body">
            {data === undefined ? (
              <p className="dim">Fetching the entries …</p>
            ) : (
              <Empty command="npx meterkeep ledger verify">
                {(head?.size ?? 0) === 0
                  ? "Nothing has been written yet. The first use of a key is the first entry."
                  : "The newest entries are bookkeeping of sessions, pushes and counters: show it, or look further back."}
              </Empty>
            )}
          </div>
        ) : (
          <ol className="ledger">
            {entries.map((entry) => (
              <LedgerEntry
                key={entry.sequence}
                entry={entry}
                isProvable={source === "custodian"}
                broken={check?.broken.includes(entry.sequence) ?? false}
              />
            ))}
          </ol>
        )}
        {hasNextPage ? (
          <ShowMore isFetching={isFetchingNextPage} show={() => void fetchNextPage()}>
            {isFetchingNextPage ? "Fetching …" : "Show older entries"}
          </ShowMore>
        ) : null}
      </Panel>
    </>
  );
}

function LeafVerdict({ check }: { check: LeafCheck | undefined }) {
  if (check === undefined) return <span className="dim">computing the hashes …</span>;
  return check.broken.length === 0 ? (
    <span className="leaf-verdict tone-trusted" role="status">
      <IconLink size={16} aria-hidden /> {formatCount(check.checked)} hashes computed again in this browser, all fit
    </span>
  ) : (
    <span className="leaf-verdict tone-quarantined" role="alert">
      <IconLinkOff size={16} aria-hidden /> {formatCount(check.broken.length)} of {formatCount(check.checked)} entries
      do not fit their hashes
    </span>
  );
}

function useLeafCheck(entries: Page["entries"], gaps: boolean): LeafCheck | undefined {
  const [check, setCheck] = useState<LeafCheck>();
  useEffect(() => {
    let wanted = true;
    setCheck(undefined);
    void checkLeaves(entries, { gaps }).then((result) => {
      if (wanted) setCheck(result);
    });
    return () => {
      wanted = false;
    };
  }, [entries, gaps]);
  return check;
}

/** How many entries the stream has told of since the page was read; they are shown when asked for, so that nothing moves under the eyes. */
function useNewer(source: LedgerSource, top: number | undefined): number {
  const newest = useLive((live) => live.ledgerHeads[source]);
  return newest === undefined || top === undefined ? 0 : Math.max(0, newest - top);
}
