import type { IncomingMessage } from "node:http";
import {
  bodyValidator,
  KEY_SERVICE_PAGES,
  KEY_SERVICE_ROUTES,
  type KeyServiceRouteName,
  keyServiceOpenApi,
  type Self,
} from "@meterkeep/api/key-service";
import { systemTitleText } from "@meterkeep/dlms";
import { CustodyError } from "../errors.ts";
import type { EnrolledHeadEnd } from "../head-ends/head-ends.ts";
import { isHalt } from "../ledger/halts.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import type { Custody } from "../service/custody.ts";
import { readJson } from "./body.ts";
import { keyServiceOperations } from "./operations.ts";
import { RequestProblem } from "./problem.ts";

/** What answering a request needs. */
export type Answering = Pick<Custody, "service" | "bursts" | "now" | "onFailure"> & { readonly version: string };

/** An answer, or the refusal of a request as a whole. */
export interface Answer {
  readonly status: number;
  readonly type: "application/json" | "application/problem+json";
  readonly body: unknown;
}

const MOST_CHARACTERS = 512;
const ROUTES = new Map(
  (Object.keys(KEY_SERVICE_ROUTES) as KeyServiceRouteName[]).map((name) => [
    KEY_SERVICE_ROUTES[name].path as string,
    name,
  ]),
);

/** Makes what answers the requests of head-ends; it never throws. */
export function answerer(answering: Answering): (request: IncomingMessage, by: EnrolledHeadEnd) => Promise<Answer> {
  const { service, bursts, now, onFailure, version } = answering;
  const operations = keyServiceOperations(service);
  const validate = bodyValidator();
  const description = keyServiceOpenApi(version);

  async function answer(request: IncomingMessage, by: EnrolledHeadEnd): Promise<unknown> {
    const path = (request.url ?? "").split("?")[0] ?? "";
    if (path === KEY_SERVICE_PAGES.openapi.path || path === KEY_SERVICE_PAGES.self.path) {
      requireMethod(request, "GET");
      return path === KEY_SERVICE_PAGES.self.path ? selfOf(by) : description;
    }
    const route = ROUTES.get(path);
    if (route === undefined) {
      const said = `${request.method} ${path}`.replaceAll(/[^\w ./-]/g, "?").slice(0, 128);
      const body = { role: by.caller.role, method: said };
      await bursts.record([installationEntry(now(), "method-not-offered", by.caller.name, body)]);
      throw new RequestProblem(
        "not-found",
        `${path.slice(0, 128)} is not offered: nothing this custodian does gives it`,
      );
    }
    requireMethod(request, "POST");
    return carryOut(route, request, by);
  }

  async function carryOut<R extends KeyServiceRouteName>(route: R, request: IncomingMessage, by: EnrolledHeadEnd) {
    const validated = validate(route, await readJson(request));
    if (validated.kind === "invalid") throw new RequestProblem("body-invalid", validated.detail);
    const { limits } = by.record;
    const count = validated.body.items.length;
    if (count > limits.batch)
      throw new RequestProblem("rate-limited", `a request of this head-end has ${limits.batch} items at most`);
    if (!by.items.take(by.record.name, count))
      throw new RequestProblem("rate-limited", `${limits.itemsPerSecond} items a second, ${limits.itemsBurst} at once`);
    // The table ties each name to its body; TypeScript cannot follow it through a lookup.
    const operation = operations[route] as (body: unknown, caller: unknown) => Promise<unknown>;
    return { results: await operation(validated.body, by.caller) };
  }

  return async (request, by) => {
    try {
      return { status: 200, type: "application/json", body: await answer(request, by) };
    } catch (error) {
      const problem = problemOf(error, onFailure);
      return { status: problem.status, type: "application/problem+json", body: problem };
    }
  };
}

/** What a head-end hears of a failure; what it must not hear goes to the custodian's own log. */
export function problemOf(error: unknown, onFailure: (error: unknown) => void): RequestProblem {
  if (error instanceof RequestProblem) return error;
  if (error instanceof CustodyError && error.code === "custody-closed")
    return new RequestProblem("custodian-closing", "ask again when it is back");
  if (isHalt(error)) return new RequestProblem("ledger-halted", error.message.slice(0, MOST_CHARACTERS));
  // A head-end that has gone away in the middle of its request is no failure of ours.
  if ((error as { code?: unknown }).code !== "ECONNRESET") onFailure(error);
  return new RequestProblem("internal-error", "its own log says why");
}

function requireMethod({ method }: IncomingMessage, wanted: "GET" | "POST"): void {
  if (method !== wanted) throw new RequestProblem("method-not-allowed", `ask with ${wanted}`);
}

function selfOf({ record: { name, grants, limits }, caller }: EnrolledHeadEnd): Self {
  return {
    name,
    principal: caller.name,
    grants: grants.map(({ purposes, utility, islands, meters }) => ({
      purposes: [...purposes],
      utility,
      islands: [...islands],
      meters: meters.map(({ from, to }) => ({ from: systemTitleText(from), to: systemTitleText(to) })),
    })),
    limits,
  };
}
