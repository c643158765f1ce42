import type { CampaignView, Me, QuarantineItem } from "@meterkeep/api";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { quarantineQuery } from "../api/queries.ts";
import { postJson } from "../api/request.ts";
import { Failure } from "../shell/failure.tsx";
import { TextField } from "../shell/text-field.tsx";
import { steppedUp } from "../sign-in/step-up.ts";
import { RuleLinks } from "./rule-link.tsx";
import { Stake } from "./stake.tsx";

/** Something that the guard has set aside: why, whose it was, and the decision of somebody else. */
export function QuarantineCard({ item, me }: { item: QuarantineItem; me: Me }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [reason, setReason] = useState("");
  const { id, words, sentence, rules, meters, loadW, requester, campaign, releasable } = item;
  const again = { onSettled: () => void queries.invalidateQueries({ queryKey: quarantineQuery.queryKey }) };
  const release = useMutation({
    ...again,
    mutationFn: () => steppedUp(() => postJson<CampaignView>(`/quarantine/${id}/release`, { reason: reason.trim() })),
    onSuccess: ({ campaign: made }) => void navigate({ to: "/work/$id", params: { id: made.id } }),
  });
  const discard = useMutation({
    ...again,
    mutationFn: () => steppedUp(() => postJson<QuarantineItem>(`/quarantine/${id}/discard`, { reason: reason.trim() })),
  });
  const error = release.error ?? discard.error;
  const disabled = reason.trim() === "" || release.isPending || discard.isPending;
  return (
    <article className="panel card" aria-labelledby={`held-${id}`}>
      <h3 id={`held-${id}`}>
        <Link to="/work/$id" params={{ id: campaign }}>
          {words}
        </Link>
      </h3>
      <Stake meters={meters} loadW={loadW} />
      <p>
        <RuleLinks rules={rules} /> {sentence}. Asked for by {requester}.
      </p>
      {me.scopes.includes("release") && me.name !== requester ? (
        <div className="campaign-acts">
          <TextField label="Reason" maxLength={400} value={reason} change={setReason} />
          {releasable ? (
            <button type="button" className="button" disabled={disabled} onClick={() => release.mutate()}>
              Release<span className="visually-hidden">: {words}</span>
            </button>
          ) : null}
          <button type="button" className="button" disabled={disabled} onClick={() => discard.mutate()}>
            Discard<span className="visually-hidden">: {words}</span>
          </button>
        </div>
      ) : (
        <p className="dim">
          {me.name === requester
            ? "Somebody else decides about it."
            : "Somebody with the role approver decides about it (page People)."}
        </p>
      )}
      {error === null ? null : <Failure error={error} />}
    </article>
  );
}
