import { type ControlRequest, type ControlSocket, openControlSocket } from "@meterkeep/api/control-socket";
import type { Concentrator } from "./concentrator.ts";
import { MISCHIEF_KINDS, type Mischief } from "./mischief.ts";

// For tests alone, as the town's control socket is: it makes concentrators lie.

/** Opens the concentrators' control socket. */
export function openControl(path: string, concentrators: ReadonlyMap<string, Concentrator>): Promise<ControlSocket> {
  return openControlSocket(path, (request) => {
    const concentrator = concentrators.get(String(request["concentrator"]));
    if (concentrator === undefined) throw new Error("no such concentrator");
    if (request["do"] === "misbehave") concentrator.passage.tell(mischiefOf(request));
    else if (request["do"] === "hang-up") concentrator.hangUp();
    else if (request["do"] !== "status") throw new Error("no such request");
    return { connections: concentrator.connections, mischief: concentrator.passage.done };
  });
}

function mischiefOf(request: ControlRequest): Mischief | undefined {
  const kind = MISCHIEF_KINDS.find((name) => name === request["kind"]);
  if (kind === undefined) {
    if (request["kind"] === null) return undefined;
    throw new Error("no such mischief");
  }
  const count = (name: string, otherwise: number): number => {
    const value = request[name] ?? otherwise;
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw new Error(`${name} is no count`);
    return value;
  };
  const { meter } = request;
  return {
    kind,
    times: count("times", 1),
    milliseconds: count("milliseconds", 0),
    to: request["to"] === "pushes" ? "pushes" : "answers",
    ...(typeof meter === "string" ? { meter } : {}),
  };
}
