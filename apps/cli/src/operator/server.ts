import { existsSync, readFileSync } from "node:fs";
import { request } from "node:http";
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
      const route = HTTP_ROUTES[id];
      const path = Object.entries(parts.params ?? {}).reduce(
        (text, [name, value]) => text.replace(`:${name}`, encodeURIComponent(value)),
        route.path as string,
      );
      const query = new URLSearchParams(
        Object.entries(parts.query ?? {}).map(([name, value]): [string, string] => [name, String(value)]),
      );
      const suffix = query.size === 0 ? "" : `?${query}`;
      return (await ask(config.adminSocket, route.method, API_PREFIX + path + suffix, parts.body)) as never;
    },
  };
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

function ask(socketPath: string, method: string, path: string, body: unknown): Promise<unknown> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const headers =
    text === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
  const sent = request({ socketPath, method, path, headers }, (response) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.on("error", reject);
    response.on("end", () => {
      const answer = Buffer.concat(chunks).toString("utf8");
      const status = response.statusCode ?? 0;
      if (status >= 200 && status < 300) resolve(answer === "" ? undefined : JSON.parse(answer));
      else reject(refused(answer, status));
    });
  });
  sent.on("error", (cause) =>
    reject(notRunning("Meterkeep does not run here now: start it with `npx meterkeep start`", cause)),
  );
  sent.end(text);
  return promise;
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
