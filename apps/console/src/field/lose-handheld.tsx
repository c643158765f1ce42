import type { FieldView } from "@meterkeep/api";
import { IconAlertTriangle } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { fieldQuery } from "../api/queries.ts";
import { postJson } from "../api/request.ts";
import { Failure } from "../shell/failure.tsx";

/** A handheld, and the one action for when it is lost. It asks nothing back: it can only make keys change sooner. */
export function LoseHandheld({ handheld, technician }: { handheld: string; technician: string }) {
  const queries = useQueryClient();
  const lose = useMutation({
    mutationFn: () =>
      postJson<FieldView>(`/field/handhelds/${encodeURIComponent(handheld)}/lost`, {
        reason: "reported lost on the console",
      }),
    onSuccess: (view) => queries.setQueryData(fieldQuery.queryKey, view),
  });
  return (
    <>
      <p className="pki-key">
        <span>
          {handheld} of {technician}
        </span>
        <button type="button" className="button" disabled={lose.isPending} onClick={() => lose.mutate()}>
          <IconAlertTriangle size={17} aria-hidden /> {handheld} is lost
        </button>
      </p>
      {lose.error === null ? null : <Failure error={lose.error} />}
    </>
  );
}
