/** What the meter said and is in dispute: what rules found, what somebody has decided, and, for approvers, the decision. */
import type { PlausibilityFindingView, SettledDisputes } from "@meterkeep/api";
import { useMutation, useQuery, useQueryClient, useSuspenseQuery } from "@tanstack/react-query";
import { useState } from "react";
import { disputesQuery, powerQualityQuery } from "../api/meter-queries.ts";
import { meQuery, plausibilityQuery, profileQuery, readingsQuery } from "../api/queries.ts";
import { postJson } from "../api/request.ts";
import { counted } from "../format/quantity.ts";
import { DataTable } from "../shell/data-table.tsx";
import { Failure } from "../shell/failure.tsx";
import { Panel } from "../shell/panel.tsx";
import { TextField } from "../shell/text-field.tsx";
import { steppedUp } from "../sign-in/step-up.ts";
import "../work/work.css";

const ROWS = 8;

export function Disputes({ systemTitle }: { systemTitle: string }) {
  const { data: me } = useSuspenseQuery(meQuery);
  const { data, error, refetch } = useQuery(disputesQuery(systemTitle));
  const [chosen, setChosen] = useState<PlausibilityFindingView>();
  const findings = data?.findings.filter(({ disputes }) => disputes) ?? [];
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
          {findings.slice(0, ROWS).map((finding) => (
            <tr key={`${finding.rule} ${finding.from}`}>
              <th scope="row" title={finding.words}>
                {finding.rule}
              </th>
              <td>
                {finding.from.slice(0, 16)} to {finding.to.slice(0, 16)}
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
      {maySettle ? (
        <Settle key={`${chosen?.rule} ${chosen?.from}`} systemTitle={systemTitle} from={chosen?.from} to={chosen?.to} />
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
  const post = (dryRun: boolean) =>
    steppedUp(() =>
      postJson<SettledDisputes>("/disputes/settle", {
        verdict,
        meters: [systemTitle],
        ...span,
        reason: reason.trim(),
        dryRun,
      }),
    );
  const looked = useMutation({ mutationFn: () => post(true) });
  const settled = useMutation({
    mutationFn: () => post(false),
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
  const error = looked.error ?? settled.error;
  const isOpen = span.from !== "" && span.to !== "" && reason.trim() !== "";
  return (
    <form
      className="panel-body work-form"
      onSubmit={(event) => {
        event.preventDefault();
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
          <button type="button" className="button" disabled={settled.isPending} onClick={() => settled.mutate()}>
            {verdict === "accepted" ? "Accept these values" : "Reject these values"}
          </button>
        )}
      </div>
      <p aria-live="polite">
        {looked.data === undefined ? "" : sentenceOf(looked.data, "would be")}
        {settled.data === undefined ? "" : sentenceOf(settled.data, "are")}
      </p>
      {error === null ? null : <Failure error={error} />}
    </form>
  );
}

function sentenceOf({ verdict, meters }: SettledDisputes, verb: string): string {
  const [one] = meters;
  if (one === undefined) return "";
  const { intervals, registers, powerQuality, disputes } = one;
  return `${counted(intervals, "interval")}, ${counted(registers, "register")} and ${counted(powerQuality, "row")} of power quality ${verb} ${verdict}, of ${counted(disputes, "dispute")}.`;
}
