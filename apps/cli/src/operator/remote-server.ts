import { API_PREFIX, HTTP_ROUTES, type Problem, type RouteAnswer, type RouteId } from "@meterkeep/api";
import { CliError, EXIT } from "../error.ts";
import type { Terminal } from "../terminal.ts";
import type { CallParts, RunningServer } from "./server.ts";

/** A Meterkeep at an address, read over its API with the token in `METERKEEP_TOKEN`. */
export function remoteServer(address: string, { env }: Pick<Terminal, "env">): RunningServer {
  const base = URL.parse(address);
  if (base === null) throw new CliError("option-invalid", `"${address}" is no address`);
  return {
    address,
    call: async <Id extends RouteId>(id: Id, { query = {} }: CallParts = {}): Promise<RouteAnswer<Id>> => {
      const url = new URL(`${API_PREFIX}${HTTP_ROUTES[id].path}`, base);
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
      const answer = await fetch(url, { headers: { authorization: `Bearer ${env["METERKEEP_TOKEN"] ?? ""}` } }).catch(
        (cause: unknown) => {
          throw new CliError("not-running", `${address} does not answer`, { exitStatus: EXIT.refused, cause });
        },
      );
      if (answer.ok) return (await answer.json()) as RouteAnswer<Id>;
      const { detail } = (await answer.json().catch(() => ({}))) as Partial<Problem>;
      throw new CliError("server-refused", detail ?? `${address} answers ${answer.status}`, {
        exitStatus: EXIT.refused,
      });
    },
  };
}
