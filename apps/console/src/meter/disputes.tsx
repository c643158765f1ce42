/** What the meter said and is in dispute: what rules found, what somebody has decided, and, for approvers, the decision. */
import type { PlausibilityFindingView, SettledDisputes } from "@meterkeep/api";
import { useInfiniteQuery, useMutation, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { useState } from "react";
import { disputesQuery, powerQualityQuery } from "../api/meter-queries.ts";
import { meQuery, plausibilityQuery, profileQuery, readingsQuery } from "../api/queries.ts";
import { postJson, RequestError } from "../api/request.ts";
import { counted } from "../format/quantity.ts";
import { DataTable } from "../shell/data-table.tsx";
import { Failure } from "../shell/failure.tsx";
import { Panel } from "../shell/panel.tsx";
import { ShowMore } from "../shell/show-more.tsx";
import { TextField } from "../shell/text-field.tsx";
import { steppedUp } from "../sign-in/step-up.ts";
import "../work/work.css";

export function Disputes({ systemTitle }: { systemTitle: string }) {
  const { data: me } = useSuspenseQuery(meQuery);
  const { data, error, refetch, fetchNextPage, hasNextPage, isFetchingNextPage } = useInfiniteQuery(
    disputesQuery(systemTitle),
  );
  const [chosen, setChosen] = useState<PlausibilityFindingView>();
  const findings = data?.pages.flatMap((page) => page.findings) ?? [];
  const older = data?.pages.at(-1)?.older ?? 0;
  const maySettle = me.scopes.includes("release");
  if (error !== null) return <Failure error={error} retry={() => void refetch()} />;
  if (data === undefined || (findings.length === 0 && !maySettle)) return null;
  return (
    <Panel name="disputes" title="In dispute">
      {findings.length === 0 ? (
        <p className="panel-body dim">No rule disputes what it said.</p>
      ) : (
        <DataTable
          label="What disputes its values, newest first"
          columns={["Rule", "Time", "Stands", "Finding", ...(maySettle ? ["Decide"] : [])]}
          inset
        >
          {findings.map((finding) => (
            <tr key={finding.number}>
              <th scope="row" title={finding.words}>
                {finding.rule}
              </th>
              <td>
                {finding.from.slice(0, 16)} to {finding.to.slice(0, 16)}
                {finding.stretches === undefined ? "" : `, ${counted(finding.stretches.length, "part")} of it`}
              </td>
              <td>{finding.standing}</td>
              <td>
                {finding.sentence}
                {finding.decision === undefined ? null : (
                  <span className="dim">
                    {" "}
                    {finding.decision.by} {finding.decision.verdict}: {finding.decision.reason}
                  </span>
                )}
              </td>
              {maySettle ? (
                <td>
                  <button type="button" className="button" onClick={() => setChosen(finding)}>
                    Choose
                    <span className="visually-hidden">
                      : {finding.rule} of {finding.from.slice(0, 16)}
                    </span>
                  </button>
                </td>
              ) : null}
            </tr>
          ))}
        </DataTable>
      )}
      {hasNextPage ? (
        <ShowMore show={() => void fetchNextPage()} isFetching={isFetchingNextPage}>
          Show more, {older} older
        </ShowMore>
      ) : null}
      {maySettle ? (
        <Settle key={chosen?.number} systemTitle={systemTitle} from={chosen?.from} to={chosen?.to} />
      ) : findings.some(({ standing }) => standing === "disputed") ? (
        <p className="panel-body dim">Somebody with the role approver decides about it (page People).</p>
      ) : null}
    </Panel>
  );
}

interface SettleProps {
  readonly systemTitle: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
}

/** Looked at first, then settled: all that is in dispute of a time. */
function Settle({ systemTitle, from = "", to = "" }: SettleProps) {
  const queries = useQueryClient();
  const [span, setSpan] = useState({ from, to });
  const [verdict, setVerdict] = useState<SettledDisputes["verdict"]>("accepted");
  const [reason, setReason] = useState("");
  const post = (how: { readonly dryRun: true } | { readonly digest: string }) =>
    steppedUp(() =>
      postJson<SettledDisputes>("/disputes/settle", {
        verdict,
        meters: [systemTitle],
        ...span,
        reason: reason.trim(),
        ...how,
      }),
    );
  const looked = useMutation({ mutationFn: () => post({ dryRun: true }) });
  const settled = useMutation({
    mutationFn: (digest: string) => post({ digest }),
    // What is there now is looked at again: nobody decides about what was not on the page.
    onError: (error) => {
      if (!hasChanged(error)) return;
      looked.mutate();
      void queries.invalidateQueries({ queryKey: disputesQuery(systemTitle).queryKey });
    },
    onSuccess: () => {
      looked.reset();
      const changed: readonly (readonly unknown[])[] = [
        disputesQuery(systemTitle).queryKey,
        readingsQuery(systemTitle).queryKey,
        powerQualityQuery(systemTitle).queryKey,
        // Of whatever time.
        profileQuery(systemTitle, undefined).queryKey.slice(0, 2),
        plausibilityQuery.queryKey,
      ];
      for (const queryKey of changed) void queries.invalidateQueries({ queryKey });
    },
  });
  const change = (set: () => void) => {
    set();
    // What was looked at is not what is written now.
    looked.reset();
    settled.reset();
  };
  const changed = hasChanged(settled.error);
  const error = looked.error ?? (changed ? null : settled.error);
  const isOpen = span.from !== "" && span.to !== "" && reason.trim() !== "";
  return (
    <form
      className="panel-body work-form"
      onSubmit={(event) => {
        event.preventDefault();
        settled.reset();
        looked.mutate();
      }}
    >
      <TextField
        label="Behind (UTC)"
        placeholder="2026-11-20T00:00:00Z"
        value={span.from}
        change={(value) => change(() => setSpan({ ...span, from: value.trim() }))}
      />
      <TextField
        label="Up to (UTC)"
        placeholder="2026-11-21T00:00:00Z"
        value={span.to}
        change={(value) => change(() => setSpan({ ...span, to: value.trim() }))}
      />
      <label>
        Decision
        <select
          className="field"
          value={verdict}
          onChange={(event) => {
            const value = event.currentTarget.value as SettledDisputes["verdict"];
            change(() => setVerdict(value));
          }}
        >
          <option value="accepted">accept: decisions may use it</option>
          <option value="rejected">reject: decisions may not</option>
        </select>
      </label>
      <TextField
        label="Why it is so"
        maxLength={400}
        value={reason}
        change={(value) => change(() => setReason(value))}
      />
      <div className="campaign-acts">
        <button type="submit" className="button" disabled={!isOpen || looked.isPending}>
          Look first
        </button>
        {looked.data === undefined ? null : (
          <button
            type="button"
            className="button"
            disabled={settled.isPending || looked.isPending}
            onClick={() => settled.mutate(looked.data.digest)}
          >
            {verdict === "accepted" ? "Accept these values" : "Reject these values"}
          </button>
        )}
      </div>
      <p aria-live="polite">
        {changed ? "Something else is in dispute there now than you looked at; nothing was settled. " : ""}
        {looked.data === undefined ? "" : sentenceOf(looked.data, "would be")}
        {settled.data === undefined ? "" : sentenceOf(settled.data, "are")}
      </p>
      {error === null ? null : <Failure error={error} />}
    </form>
  );
}

/** Whether it was not settled since something else is there now than was looked at. */
function hasChanged(error: unknown): boolean {
  return error instanceof RequestError && error.code === "dispute-changed";
}

function sentenceOf({ verdict, meters }: SettledDisputes, verb: string): string {
  const [one] = meters;
  if (one === undefined) return "";
  const { intervals, registers, powerQuality, disputes } = one;
  return `${counted(intervals, "interval")}, ${counted(registers, "register")} and ${counted(powerQuality, "row")} of power quality ${verb} ${verdict}, of ${counted(disputes, "dispute")}.`;
}
