import {
  concatBytes,
  type Data,
  data,
  decode,
  encode,
  type PlainApdu,
  type RefusalReason,
  type ServedClass,
} from "@meterkeep/dlms";
import { type OpenedApdu, plainIn } from "./opened.ts";

/** How one operation of a recorded request went. */
export interface Outcome {
  readonly result: "success" | RefusalReason;
  /** Encoded Data that was read or returned. */
  readonly value: Uint8Array | undefined;
}

/** What the recorded server did with one request. */
export interface Scripted {
  readonly outcomes: readonly Outcome[];
  /** How it cut its answer. */
  readonly blockBytes: readonly number[];
}

const MEMBERS = 128;
const NOTHING: Scripted = { outcomes: [], blockBytes: [] };

/** Reads from the recorded answer to the request at `at` what every operation of it came to. */
export function scriptOf(apdus: readonly OpenedApdu[], at: number): Scripted {
  const recorded = answerTo(apdus, at);
  const answer = plainIn(recorded?.gathered ?? recorded?.inner);
  switch (answer?.kind) {
    case "get-response":
      return getScript(apdus, at, answer.value);
    case "set-response":
      return { outcomes: setResults(answer.value).map((result) => outcome(result, undefined)), blockBytes: [] };
    case "action-response":
      return actionScript(answer.value);
    case "access-response": {
      const { results, data: values } = answer.value;
      const outcomes = results.map(({ value }, index) => outcome(value, encodedValue(values[index])));
      return { outcomes, blockBytes: [] };
    }
    default:
      return NOTHING;
  }
}

/** The recorded answer to the request at `at`. */
export function answerTo(apdus: readonly OpenedApdu[], at: number): OpenedApdu | undefined {
  const next = apdus[at + 1];
  return next?.direction === "received" ? next : undefined;
}

function wholeAnswer(apdus: readonly OpenedApdu[], at: number): Uint8Array | undefined {
  const recorded = answerTo(apdus, at);
  return recorded?.gathered ?? recorded?.inner;
}

type Of<Kind extends PlainApdu["kind"]> = Extract<PlainApdu, { kind: Kind }>["value"];

function getScript(apdus: readonly OpenedApdu[], at: number, answer: Of<"get-response">): Scripted {
  const request = plainIn(apdus[at]?.inner);
  const list =
    request?.kind === "get-request" && request.value.kind === "with-list" ? request.value.value.attributes.length : 0;
  if (answer.kind === "normal") {
    const { result } = answer.value;
    // Some servers let octets follow the value that are none of it: they are its octets all the same.
    const octets = result.kind === "data" ? wholeAnswer(apdus, at)?.subarray(NORMAL_DATA_AT) : undefined;
    return {
      outcomes: [result.kind === "data" ? outcome("success", octets) : outcome(result.value, undefined)],
      blockBytes: [],
    };
  }
  if (answer.kind === "with-list")
    return {
      outcomes: answer.value.results.map(({ kind, value }) =>
        kind === "data" ? outcome("success", encode(data, value)) : outcome(value, undefined),
      ),
      blockBytes: [],
    };
  const { octets, blockBytes, refused } = gather(apdus, at);
  if (refused !== undefined) return { outcomes: [outcome(refused, undefined)], blockBytes };
  if (list === 0) return { outcomes: [outcome("success", octets)], blockBytes };
  return { outcomes: listIn(octets), blockBytes };
}

/** Tag, choice, invoke id and the choice "data". */
const NORMAL_DATA_AT = 4;

function gather(apdus: readonly OpenedApdu[], at: number) {
  const parts: Uint8Array[] = [];
  for (let next = at + 1; next < apdus.length; next += 1) {
    const { direction, inner } = apdus[next] as OpenedApdu;
    const apdu = plainIn(inner);
    if (direction === "sent") {
      if (apdu?.kind !== "get-request" || apdu.value.kind !== "next") break;
      continue;
    }
    if (apdu?.kind !== "get-response" || apdu.value.kind !== "with-datablock") break;
    const { lastBlock, result } = apdu.value.value.block;
    if (result.kind === "data-access-result")
      return { octets: concatBytes(...parts), blockBytes: [], refused: result.value };
    parts.push(result.value);
    if (lastBlock)
      return { octets: concatBytes(...parts), blockBytes: parts.map(({ length }) => length), refused: undefined };
  }
  // The client stopped asking: that more was to come shows in the blocks that it got.
  return {
    octets: concatBytes(...parts, Uint8Array.of(0)),
    blockBytes: parts.map(({ length }) => length),
    refused: undefined,
  };
}

function listIn(octets: Uint8Array): Outcome[] {
  const outcomes: Outcome[] = [];
  const count = octets[0] ?? 0;
  let rest = octets.subarray(1);
  for (let index = 0; index < count && rest.length > 0; index += 1) {
    if (rest[0] !== 0) {
      outcomes.push({ result: "other-reason", value: undefined });
      rest = rest.subarray(2);
      continue;
    }
    const value = encode(data, decode(data, rest.subarray(1), { trailing: "ignore" }));
    outcomes.push(outcome("success", value));
    rest = rest.subarray(1 + value.length);
  }
  return outcomes;
}

function setResults(answer: Of<"set-response">) {
  switch (answer.kind) {
    case "normal":
    case "last-datablock":
      return [answer.value.result];
    case "with-list":
    case "last-datablock-with-list":
      return answer.value.results;
    case "datablock":
      return [];
    default:
      return answer satisfies never;
  }
}

function actionScript(answer: Of<"action-response">): Scripted {
  if (answer.kind === "normal") {
    const { result, returned } = answer.value.outcome;
    const value = returned?.kind === "data" ? encode(data, returned.value) : undefined;
    return { outcomes: [outcome(result, value)], blockBytes: [] };
  }
  if (answer.kind !== "with-list") return NOTHING;
  return {
    outcomes: answer.value.outcomes.map(({ result, returned }) =>
      outcome(result, returned?.kind === "data" ? encode(data, returned.value) : undefined),
    ),
    blockBytes: [],
  };
}

function outcome(result: string | number, value: Uint8Array | undefined): Outcome {
  return { result: typeof result === "string" ? (result as Outcome["result"]) : "other-reason", value };
}

function encodedValue(value: Data | undefined): Uint8Array | undefined {
  return value === undefined || value.type === "null-data" ? undefined : encode(data, value);
}

/** Gives out what was recorded, operation by operation. */
export class Script {
  #outcomes: Outcome[] = [];

  load({ outcomes }: Scripted): void {
    this.#outcomes = [...outcomes];
  }

  next(): Outcome {
    return this.#outcomes.shift() ?? { result: "other-reason", value: undefined };
  }

  /** A class of which everything may be tried. */
  served(classId: number): ServedClass<undefined> {
    const numbers = Array.from({ length: MEMBERS }, (_, index) => index);
    return {
      classId,
      version: 0,
      attributes: numbers.map((index) => ({
        index,
        readable: true,
        writable: true,
        selectors: [1, 2],
        read: (writer) => {
          const { result, value } = this.next();
          if (result === "success" && value !== undefined) writer.octets(value);
          return result;
        },
        write: () => this.next().result,
      })),
      methods: numbers.map((index) => ({
        index,
        callable: true,
        invoke: (_, writer) => {
          const { result, value } = this.next();
          if (value !== undefined) writer.octets(value);
          return result;
        },
      })),
    };
  }
}
