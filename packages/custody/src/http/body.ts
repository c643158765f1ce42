import type { IncomingMessage } from "node:http";
import { RequestProblem } from "./problem.ts";

/** Octets of the longest body: a batch of APDUs, or one of the longest there are. */
export const MAX_BODY_BYTES = 1024 * 1024;

/**
 * Reads a JSON body.
 *
 * @throws RequestProblem `media-type-unsupported`, `body-too-large`, `body-invalid`
 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  if (!/^application\/json\s*(?:;|$)/i.test(request.headers["content-type"] ?? ""))
    throw new RequestProblem("media-type-unsupported", "the body is application/json");
  if (Number(request.headers["content-length"] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw tooLarge();
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new RequestProblem("body-invalid", "the body is not JSON");
  }
}

function tooLarge(): RequestProblem {
  return new RequestProblem("body-too-large", `a body has ${MAX_BODY_BYTES} octets at most`);
}
