import { existsSync, readFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { API_PREFIX, HTTP_ROUTES, type Problem, type RouteAnswer, type RouteBody, type RouteId } from "@meterkeep/api";
import { parseSettings } from "@meterkeep/api/settings";
import { OPERATOR_CONFIG, type OperatorConfig } from "@meterkeep/api/supervisor";
import { CliError, EXIT } from "../error.ts";
import type { Terminal } from "../terminal.ts";

/** What a call of a route says besides its name. */
export interface CallParts {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number>>;
  readonly body?: unknown;
}

/** A running Meterkeep, asked by the owner of its machine over the admin socket. */
export interface RunningServer {
  readonly address: string;
  /** @throws CliError `not-running`, or `server-refused` with the server's own words. */
  call<Id extends RouteId>(route: Id, parts?: CallParts & { body?: RouteBody<Id> }): Promise<RouteAnswer<Id>>;
}

const CHECKOUT = fileURLToPath(new URL("../../../../", import.meta.url));

/**
 * Finds the Meterkeep that runs in a state directory: `--state`, `METERKEEP_STATE`, or `./var` of the checkout.
 *
 * @throws CliError `not-running` when there is none, or its configuration belongs to somebody else.
 */
export function runningServer(state: string | undefined, terminal: Pick<Terminal, "env">): RunningServer {
  const config = operatorConfig(state, terminal);
  return {
    address: config.address,
    call: async (id, parts = {}) => {
      const answer = await textOf(await ask(config.adminSocket, id, parts));
      return (answer === "" ? undefined : JSON.parse(answer)) as never;
    },
  };
}

/**
 * Asks the Meterkeep that runs in a state directory for a route that answers with octets, and gives them as they come; the
 * stream ends in an error where the server breaks off.
 *
 * @throws CliError `not-running`, or `server-refused` with the server's own words.
 */
export function runningServerOctets(
  state: string | undefined,
  terminal: Pick<Terminal, "env">,
  id: RouteId,
  parts: CallParts,
): Promise<IncomingMessage> {
  return ask(operatorConfig(state, terminal).adminSocket, id, parts);
}

/** What the owner of a Meterkeep's machine needs to speak with it. @throws CliError `not-running` */
export function operatorConfig(state: string | undefined, terminal: Pick<Terminal, "env">): OperatorConfig {
  const directory = state ?? terminal.env["METERKEEP_STATE"] ?? join(CHECKOUT, "var");
  return readConfig(join(directory, "operator", "config.json"), directory);
}

function readConfig(file: string, directory: string): OperatorConfig {
  if (!existsSync(file))
    throw notRunning(
      `Meterkeep has not been started in ${directory}: run \`npx meterkeep start\`, or name its --state`,
    );
  try {
    return parseSettings(OPERATOR_CONFIG, JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EACCES")
      throw notRunning(`${file} belongs to somebody else: run this as who ran \`npx meterkeep start\``, cause);
    throw cause;
  }
}

function ask(socketPath: string, id: RouteId, { params, query, body }: CallParts): Promise<IncomingMessage> {
  const { method, path: route } = HTTP_ROUTES[id];
  const path = Object.entries(params ?? {}).reduce(
    (text, [name, value]) => text.replace(`:${name}`, encodeURIComponent(value)),
    route as string,
  );
  const asked = new URLSearchParams(
    Object.entries(query ?? {}).map(([name, value]): [string, string] => [name, String(value)]),
  );
  const suffix = asked.size === 0 ? "" : `?${asked}`;
  const text = body === undefined ? undefined : JSON.stringify(body);
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const headers =
    text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
  const sent = request({ socketPath, method, path: API_PREFIX + path + suffix, headers }, (response) => {
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) resolve(response);
    else textOf(response).then((answer) => reject(refused(answer, status)), reject);
  });
  sent.on("error", (cause) =>
    reject(notRunning("Meterkeep does not run here now: start it with `npx meterkeep start`", cause)),
  );
  sent.end(text);
  return promise;
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

function refused(answer: string, status: number): CliError {
  let problem: Partial<Problem> = {};
  try {
    problem = JSON.parse(answer) as Partial<Problem>;
  } catch {
    // Not one of our problems: the status has to do.
  }
  const words = problem.detail ?? problem.title ?? `the server answered ${status}`;
  const code = problem.code === undefined ? "" : ` (${problem.code})`;
  return new CliError("server-refused", `${words}${code}`, { exitStatus: EXIT.refused });
}

function notRunning(message: string, cause?: unknown): CliError {
  return new CliError("not-running", message, { exitStatus: EXIT.refused, ...(cause === undefined ? {} : { cause }) });
}
