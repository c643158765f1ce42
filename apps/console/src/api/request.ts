/** Calls of the HTTP API. Every failure is a `RequestError` that says what happened and what to do, in the server's own words where it spoke. */
import type { Problem } from "@meterkeep/api";

const PREFIX = "/api/v1";

/** What the page itself may say of a call; every other code is the server's. */
export const CONSOLE_ERROR_CODES = ["no-answer", "answer-unreadable"] as const;
type ConsoleErrorCode = (typeof CONSOLE_ERROR_CODES)[number];

/** A refused or failed call. `status` is 0 when no answer came. */
export class RequestError extends Error {
  /** A code of the HTTP API, or one of `CONSOLE_ERROR_CODES`. */
  readonly code: string;
  readonly status: number;

  constructor(code: string, status: number, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "RequestError";
    this.code = code;
    this.status = status;
  }
}

/** Reads JSON. @throws RequestError */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await answer(path, signal === undefined ? {} : { signal })).json() as Promise<T>;
}

/** Posts JSON and reads the answer, if it has one. @throws RequestError */
export async function postJson<T>(path: string, body?: unknown): Promise<T> {
  const init: RequestInit =
    body === undefined
      ? { method: "POST" }
      : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await answer(path, init);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** Takes something away, and reads what came of it, if anything is said. @throws RequestError */
export async function deleteResource<T = void>(path: string): Promise<T> {
  const response = await answer(path, { method: "DELETE" });
  return (response.status === 204 ? undefined : await response.json()) as T;
}

async function answer(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(PREFIX + path, { credentials: "same-origin", ...init });
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
    throw failure("no-answer", 0, "The server does not answer. Is meterkeep still running?", { cause });
  }
  if (response.ok) return response;
  throw await refusal(response);
}

const UNREADABLE = "answer-unreadable" satisfies ConsoleErrorCode;

function failure(code: ConsoleErrorCode, status: number, message: string, options?: { cause?: unknown }): RequestError {
  return new RequestError(code, status, message, options);
}

async function refusal(response: Response): Promise<RequestError> {
  try {
    const problem = (await response.json()) as Partial<Problem>;
    return new RequestError(
      problem.code ?? UNREADABLE,
      response.status,
      problem.detail ?? problem.title ?? `The server answered ${response.status}.`,
    );
  } catch {
    return failure(UNREADABLE, response.status, `The server answered ${response.status}.`);
  }
}
