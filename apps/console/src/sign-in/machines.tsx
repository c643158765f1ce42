import type { MachineToken } from "@meterkeep/api";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { tokensQuery } from "../api/queries.ts";
import { deleteResource } from "../api/request.ts";
import { localTime } from "../live/live-context.tsx";
import { Command } from "../shell/command.tsx";
import { Failure } from "../shell/failure.tsx";
import { Panel } from "../shell/panel.tsx";

const SCOPES: Readonly<Record<MachineToken["scope"], string>> = {
  read: "sees everything, changes nothing",
  operate: "also attaches meters and starts drills",
  request: "also asks for commands, which people approve",
  admin: "also sees and withdraws tokens",
};

/** Programs that may ask, how far each of them reaches, and the way to stop them. */
export function Machines() {
  const queries = useQueryClient();
  const { data, error, refetch } = useQuery(tokensQuery);
  const withdraw = useMutation({
    mutationFn: (id: string) => deleteResource(`/tokens/${id}`),
    onSettled: () => queries.invalidateQueries({ queryKey: tokensQuery.queryKey }),
  });
  const tokens = data?.tokens ?? [];
  return (
    <Panel name="machines" title="Machines">
      <div className="panel-body account-body">
        <p>
          Programs sign in with a token. The API is described at <a href="/api/docs">/api/docs</a>.
        </p>
        {error === null ? null : <Failure error={error} retry={() => void refetch()} />}
        {tokens.length === 0 ? null : (
          <ul className="machine-list">
            {tokens.map(({ id, name, scope, createdAt, lastUsedAt, expiresAt }) => (
              <li key={id}>
                <p>
                  <strong>{name}</strong> <span className="mark">{scope}</span>{" "}
                  <span className="dim">
                    {SCOPES[scope]}; made {localTime.near(createdAt, Date.now())},{" "}
                    {lastUsedAt === undefined ? "not used yet" : `used ${localTime.near(lastUsedAt, Date.now())}`}
                    {expiresAt === undefined ? "" : `, valid until ${localTime.date(expiresAt, Date.now())}`}
                  </span>
                </p>
                <button
                  type="button"
                  className="text-button"
                  aria-label={`Withdraw ${name}`}
                  disabled={withdraw.isPending}
                  onClick={() => withdraw.mutate(id)}
                >
                  Withdraw
                </button>
              </li>
            ))}
          </ul>
        )}
        {withdraw.error === null ? null : <Failure error={withdraw.error} />}
        <Command text="npx meterkeep token create my-program" />
      </div>
    </Panel>
  );
}
