/** What is asked for, tried dry before it is asked: meters and load are seen before anything happens. */
import { type CampaignView, COMMAND_REASONS, type CommandOrder, type DryRun, type MeterGroup } from "@meterkeep/api";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { campaignsQuery, groupsQuery, operationsQuery } from "../api/queries.ts";
import { postJson } from "../api/request.ts";
import { Failure } from "../shell/failure.tsx";
import { Panel } from "../shell/panel.tsx";
import { steppedUp } from "../sign-in/step-up.ts";
import { DryRunView } from "./dry-run-view.tsx";
import { type Draft, EMPTY_DRAFT, offered, orderOf, saysOf } from "./order.ts";
import { ParameterFields } from "./parameter-fields.tsx";
import { parametersToStartFrom } from "./parameter-shape.ts";

export function OrderForm() {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const { groups = [], kinds = [] } = useQuery(groupsQuery).data ?? {};
  const operations = useQuery(operationsQuery).data?.operations ?? [];
  const [draft, setDraft] = useState<Draft>(EMPTY_DRAFT);
  const tried = useMutation({ mutationFn: (order: CommandOrder) => postJson<DryRun>("/commands/dry-run", order) });
  const asked = useMutation({
    mutationFn: (order: CommandOrder) => steppedUp(() => postJson<CampaignView>("/commands", order)),
    onSuccess: ({ campaign }) => {
      void queries.invalidateQueries({ queryKey: campaignsQuery.queryKey });
      void navigate({ to: "/work/$id", params: { id: campaign.id } });
    },
  });
  const change = (part: Partial<Draft>) => {
    setDraft({ ...draft, ...part });
    // What was tried is not what is written now.
    tried.reset();
  };
  const order = orderOf(draft);
  const shape = operations.find(({ name }) => name === draft.operation)?.shape;
  return (
    <Panel name="order" title="Ask for a command">
      <form
        className="panel-body work-form"
        onSubmit={(event) => {
          event.preventDefault();
          if (order !== undefined) tried.mutate(order);
        }}
      >
        <label>
          What
          <select
            className="field"
            value={draft.operation}
            onChange={(event) =>
              change({
                operation: event.currentTarget.value,
                parameters: parametersToStartFrom(operations, event.currentTarget.value),
              })
            }
          >
            {offered(operations).map((one) => (
              <option key={one.name} value={one.name}>
                {saysOf(one)}
              </option>
            ))}
          </select>
        </label>
        <label>
          Which meters
          <select
            className="field"
            value={draft.place}
            onChange={(event) => change({ place: event.currentTarget.value })}
          >
            <option value="list">those listed below</option>
            {kinds.map(({ kind, id, name, meters }) => (
              <option key={`${kind}:${id}`} value={`${kind}:${id}`}>
                {kind} {name} ({meters})
              </option>
            ))}
            {groups.map(({ name, meters: count }) => (
              <option key={name} value={`group:${name}`}>
                group {name} ({count})
              </option>
            ))}
            <option value="all">all of this island</option>
          </select>
        </label>
        {draft.place === "list" ? (
          <label className="wide">
            System titles, with spaces or lines between
            <textarea
              className="field"
              rows={3}
              spellCheck={false}
              value={draft.titles}
              onChange={(event) => change({ titles: event.currentTarget.value })}
            />
          </label>
        ) : null}
        {draft.place === "list" && order?.selection.kind === "list" ? (
          <KeepAsGroup meters={order.selection.meters} kept={(name) => change({ place: `group:${name}` })} />
        ) : null}
        <label>
          Why
          <select
            className="field"
            value={draft.reason}
            onChange={(event) => change({ reason: event.currentTarget.value as Draft["reason"] })}
          >
            {COMMAND_REASONS.map((reason) => (
              <option key={reason}>{reason}</option>
            ))}
          </select>
        </label>
        <label>
          Work order
          <input
            className="field"
            maxLength={128}
            value={draft.workOrder}
            onChange={(event) => change({ workOrder: event.currentTarget.value })}
          />
        </label>
        <label className="wide">
          In words, for those who approve
          <input
            className="field"
            maxLength={400}
            value={draft.note}
            onChange={(event) => change({ note: event.currentTarget.value })}
          />
        </label>
        {shape === undefined ? null : (
          <ParameterFields
            key={draft.operation}
            shape={shape}
            parameters={draft.parameters}
            change={(parameters) => change({ parameters })}
          />
        )}
        <label className="wide check">
          <input
            type="checkbox"
            checked={draft.emergency}
            onChange={(event) => change({ emergency: event.currentTarget.checked })}
          />
          Emergency: all at once, inside every cap; three people approve it. For the grid, without a work order
        </label>
        <button type="submit" className="button" disabled={order === undefined || tried.isPending}>
          {tried.isPending ? "Trying …" : "Dry run"}
        </button>
        {tried.error === null ? null : <Failure error={tried.error} />}
        {tried.data === undefined || order === undefined ? null : (
          <div className="wide" role="status">
            <DryRunView dryRun={tried.data} />
            <button
              type="button"
              className="button primary"
              disabled={asked.isPending || tried.data.verdict === "nothing-left"}
              onClick={() => asked.mutate(order)}
            >
              {asked.isPending ? "Asking …" : "Ask for this"}
            </button>
          </div>
        )}
        {asked.error === null ? null : <Failure error={asked.error} />}
      </form>
    </Panel>
  );
}

/** Puts the meters that are listed under a name, to be commanded together from then on. */
function KeepAsGroup({ meters, kept }: { readonly meters: readonly string[]; readonly kept: (name: string) => void }) {
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const put = useMutation({
    mutationFn: () => postJson<MeterGroup>(`/groups/${encodeURIComponent(name.trim())}`, { meters: [...meters] }),
    onSuccess: async (group) => {
      await queries.invalidateQueries({ queryKey: groupsQuery.queryKey });
      kept(group.name);
    },
  });
  return (
    <div className="wide">
      <label>
        Keep these {meters.length} as a group named
        <input className="field" maxLength={64} value={name} onChange={(event) => setName(event.currentTarget.value)} />
      </label>
      <button
        type="button"
        className="button"
        disabled={name.trim() === "" || put.isPending}
        onClick={() => put.mutate()}
      >
        {put.isPending ? "Keeping …" : "Keep as group"}
      </button>
      {put.error === null ? null : <Failure error={put.error} />}
    </div>
  );
}
