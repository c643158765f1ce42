import { request } from "node:http";
import {
  API_PREFIX,
  everyMeter,
  HTTP_ROUTES,
  type MeterSummary,
  type Problem,
  type RouteAnswer,
  type RouteBody,
  type RouteId,
  type TokenScopeName,
} from "@meterkeep/api";
import type { Meterkeep } from "./start-meterkeep.ts";

/** The HTTP API as somebody who has signed in calls it. */
export interface ApiClient {
  /** @throws ApiProblem when the answer is not a success */
  call<Id extends RouteId>(route: Id, parts?: CallParts<Id>): Promise<RouteAnswer<Id>>;
  /** All meters, in one line each. */
  meters(): Promise<readonly MeterSummary[]>;
}

/** What a call says besides the name of its route. */
export interface CallParts<Id extends RouteId> {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | number>>;
  readonly body?: RouteBody<Id>;
}

/** An answer that is not a success. */
export class ApiProblem extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, problem: Partial<Problem>) {
    super(`${status} ${problem.code ?? ""}: ${problem.detail ?? problem.title ?? ""}`);
    this.status = status;
    this.code = problem.code ?? "";
  }
}

/** A request as it goes out, and what came back. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly text: string;
}

/** Signs in with a single-use link. @throws ApiProblem */
export async function signIn(link: string): Promise<ApiClient> {
  const { origin, hash } = new URL(link);
  const answer = await ask(`${origin}${API_PREFIX}/sign-in`, {
    method: "POST",
    headers: { origin, "content-type": "application/json" },
    body: JSON.stringify({ token: hash.slice(1) }),
  });
  if (answer.status !== 200) throw problemOf(answer);
  const cookie = [answer.headers["set-cookie"] ?? []].flat()[0]?.split(";")[0];
  if (cookie === undefined) throw new Error("signing in gave no cookie");
  return clientOf(origin, { origin, cookie });
}

/** Makes a machine token as the machine's owner, and calls with it. */
export async function ownerClient(
  meterkeep: Pick<Meterkeep, "command" | "address">,
  scope: TokenScopeName = "operate",
  name = "system test",
): Promise<ApiClient> {
  return clientOf(meterkeep.address, { authorization: `Bearer ${await ownerToken(meterkeep, scope, name)}` });
}

/** A machine token, made as the machine's owner. */
export async function ownerToken(
  { command }: Pick<Meterkeep, "command">,
  scope: TokenScopeName,
  name: string,
): Promise<string> {
  const { status, stdout, stderr } = await command(["token", "create", name, "--scope", scope, "--json"]);
  if (status !== 0) throw new Error(`meterkeep token create: ${stderr}`);
  return (JSON.parse(stdout) as { readonly token: string }).token;
}

function clientOf(address: string, headers: Readonly<Record<string, string>>): ApiClient {
  const call: ApiClient["call"] = async (id, { params = {}, query = {}, body } = {}) => {
    const { method, path } = HTTP_ROUTES[id];
    const filled = Object.entries(params).reduce(
      (text, [name, value]) => text.replace(`:${name}`, value),
      path as string,
    );
    const url = new URL(`${address}${API_PREFIX}${filled}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
    const answer = await ask(url.href, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (answer.status < 200 || answer.status > 299) throw problemOf(answer);
    return (answer.text === "" ? undefined : JSON.parse(answer.text)) as never;
  };
  return {
    call,
    meters: () => everyMeter((query) => call("listMeters", { query })),
  };
}

/** One HTTP request, just as it is said. */
export function ask(
  url: string,
  {
    method = "GET",
    headers = {},
    body,
    family,
  }: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
    /** Which of the addresses of `localhost`. */
    readonly family?: 4 | 6;
  } = {},
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      url,
      { method, headers, agent: false, ...(family === undefined ? {} : { family }) },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("error", reject);
        answer.on("end", () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            text: Buffer.concat(chunks).toString("utf8"),
          }),
        );
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

function problemOf({ status, text }: HttpAnswer): ApiProblem {
  try {
    return new ApiProblem(status, JSON.parse(text) as Partial<Problem>);
  } catch {
    return new ApiProblem(status, { title: text.slice(0, 200) });
  }
}
