import type { DrillStarted } from "@meterkeep/api";
import { IconHammer } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { postJson } from "../api/request.ts";
import { Failure } from "../shell/failure.tsx";

/** Starts a drill and goes to it. */
export function StartDrill({ again = false }: { again?: boolean }) {
  const navigate = useNavigate();
  const queries = useQueryClient();
  const start = useMutation({
    mutationFn: () => postJson<DrillStarted>("/drills/break-in"),
    onSuccess: async ({ drill }) => {
      void queries.invalidateQueries({ queryKey: ["drills"] });
      await navigate({ to: "/drill/$id", params: { id: drill } });
    },
  });
  return (
    <div className="start-drill">
      <button type="button" className="button primary" disabled={start.isPending} onClick={() => start.mutate()}>
        <IconHammer size={17} aria-hidden />{" "}
        {start.isPending ? "Starting …" : again ? "Break in again" : "Break in now"}
      </button>
      {start.error === null ? null : <Failure error={start.error} />}
    </div>
  );
}
