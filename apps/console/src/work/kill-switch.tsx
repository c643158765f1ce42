import type { RuleList } from "@meterkeep/api";
import { IconHandStop } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { rulesQuery } from "../api/queries.ts";
import { postJson } from "../api/request.ts";
import { Failure } from "../shell/failure.tsx";
import { When } from "../shell/when.tsx";

/** Freezes everything critical at the custodian: one person, at once, without being asked back. Two thaw it there. */
export function KillSwitch({ frozen, may }: { frozen: RuleList["frozen"]; may: boolean }) {
  const queries = useQueryClient();
  const freeze = useMutation({
    mutationFn: () => postJson<RuleList>("/kill-switch", { reason: "frozen on the console" }),
    onSuccess: (rules) => queries.setQueryData(rulesQuery.queryKey, rules),
  });
  if (frozen !== undefined)
    return (
      <p className="frozen" role="status">
        Everything critical is frozen since <When at={frozen.since} seconds /> by {frozen.by}: {frozen.reason}. Two
        people thaw it at the custodian.
      </p>
    );
  if (!may) return null;
  return (
    <div>
      <button type="button" className="button danger" disabled={freeze.isPending} onClick={() => freeze.mutate()}>
        <IconHandStop size={17} aria-hidden /> Freeze everything critical
      </button>
      {freeze.error === null ? null : <Failure error={freeze.error} />}
    </div>
  );
}
