import { concatBytes } from "../bytes.ts";
import { attributeText, type RequestScope } from "./ask.ts";
import {
  continueGet,
  type GetAnswer,
  type GetTarget,
  getOne,
  getOneRequest,
  type ListItem,
  readGetAnswer,
} from "./get-transfer.ts";
import { refusalOf } from "./refusal.ts";
import { SessionError } from "./session-error.ts";

/** What reading one by one needs of a session. */
export interface EachPorts {
  /** A context with an invoke id of its own. */
  readonly context: () => RequestScope;
  /** Seals all, sends one after the other, opens all. */
  readonly askAll: (plains: readonly Uint8Array[], steps: readonly string[]) => Promise<readonly Uint8Array[]>;
}

/** How many requests are sealed at a time: what a custodian takes in one call without keeping others waiting. */
const BATCH = 16;

/**
 * Reads attributes with a request each, sealed and opened in batches. A value that comes in blocks is read again alone,
 * since the request after it has ended its transfer; only the last of a batch can go on where it is.
 */
export async function getEach(targets: readonly GetTarget[], ports: EachPorts): Promise<readonly ListItem[]> {
  const items: ListItem[] = [];
  for (let at = 0; at < targets.length; at += BATCH) {
    const batch = targets.slice(at, at + BATCH).map((target) => ({ target, context: ports.context() }));
    const steps = batch.map(({ target }) => `get ${attributeText(target.attribute)}`);
    const requests = batch.map(({ target, context }) => getOneRequest(context.id, target));
    const answers = await ports.askAll(requests, steps);
    const last = batch.length - 1;
    const read = batch.map(({ context }, index) => answerOf(context, steps[index] as string, answers[index]));
    // The transfer of the last one is still under way: it goes first.
    const lastItem = await finish(batch[last], read[last], steps[last] as string, true);
    for (const [index, entry] of batch.slice(0, last).entries())
      items.push(await finish(entry, read[index], steps[index] as string, false));
    items.push(lastItem);
  }
  return items;
}

function answerOf(context: RequestScope, step: string, response: Uint8Array | undefined): GetAnswer {
  const refusal = response === undefined ? undefined : refusalOf(response);
  if (refusal !== undefined) throw refusal;
  return readGetAnswer(context.id, step, response ?? new Uint8Array(0));
}

async function finish(
  entry: { readonly target: GetTarget; readonly context: RequestScope } | undefined,
  answer: GetAnswer | undefined,
  step: string,
  underWay: boolean,
): Promise<ListItem> {
  if (entry === undefined || answer === undefined) throw new SessionError("unexpected-response", `${step}: no answer`);
  if (answer.kind === "refused") return answer;
  if (answer.kind === "data") return { kind: "data", value: answer.octets };
  try {
    if (!underWay) return { kind: "data", value: await getOne(entry.context, entry.target) };
    const parts: Uint8Array[] = [];
    for await (const part of continueGet(entry.context, step, answer)) parts.push(part);
    return { kind: "data", value: concatBytes(...parts) };
  } catch (error) {
    if (error instanceof SessionError && error.code === "data-access-refused" && error.reason !== undefined)
      return { kind: "refused", reason: error.reason as Extract<ListItem, { kind: "refused" }>["reason"] };
    throw error;
  }
}
