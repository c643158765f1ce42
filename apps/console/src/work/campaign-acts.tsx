import type { CampaignSummary, CampaignView, ScopeName } from "@meterkeep/api";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { campaignQuery } from "../api/queries.ts";
import { postJson } from "../api/request.ts";
import { Failure } from "../shell/failure.tsx";
import { TextField } from "../shell/text-field.tsx";
import { steppedUp } from "../sign-in/step-up.ts";
import { hasEnded } from "./campaign-words.ts";

type Act = "pause" | "resume" | "stop";

/** Pausing and stopping, which anybody may who may freeze, and going on, which takes who may ask. */
export function CampaignActs({ campaign, scopes }: { campaign: CampaignSummary; scopes: readonly ScopeName[] }) {
  const queries = useQueryClient();
  const [reason, setReason] = useState("");
  const act = useMutation({
    mutationFn: (what: Act) =>
      steppedUp(() => postJson<CampaignView>(`/campaigns/${campaign.id}/${what}`, { reason: reason.trim() })),
    onSuccess: (view) => {
      setReason("");
      queries.setQueryData(campaignQuery(campaign.id).queryKey, view);
    },
  });
  if (hasEnded(campaign.state) || !scopes.includes("freeze")) return null;
  const disabled = act.isPending || reason.trim() === "";
  return (
    <div className="campaign-acts">
      <TextField label="Reason" maxLength={400} value={reason} change={setReason} />
      {campaign.state === "running" ? (
        <button type="button" className="button" disabled={disabled} onClick={() => act.mutate("pause")}>
          Pause
        </button>
      ) : null}
      {campaign.state === "paused" && scopes.includes("request") ? (
        <button type="button" className="button" disabled={disabled} onClick={() => act.mutate("resume")}>
          Go on
        </button>
      ) : null}
      <button type="button" className="button danger" disabled={disabled} onClick={() => act.mutate("stop")}>
        Stop for good
      </button>
      {act.error === null ? null : <Failure error={act.error} />}
    </div>
  );
}
