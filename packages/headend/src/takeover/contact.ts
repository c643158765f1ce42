import type { Custodian, LostReason, NextContact, TakeoverState } from "@meterkeep/api/custodian";
import type { SystemTitle } from "@meterkeep/dlms";
import { codeOf } from "../errors.ts";
import type { Route } from "../route/route.ts";
import type { LadderEntry } from "../session/ladder.ts";
import type { Dial, MeterLine } from "../session/line.ts";
import { contactSummary } from "./words.ts";

/** What carrying a contact needs: the custodian that converses, a way to the meter, and the time. */
export interface ContactPorts {
  readonly custodian: Pick<Custodian, "nextContact" | "advanceContact">;
  readonly dial: Dial;
  /** Milliseconds since 1970 UTC. */
  now(): number;
}

/** How a contact ended, and what comes next by the custodian's journal. */
export interface ContactResult {
  readonly next: "reconnect" | "wait" | "done";
  readonly milliseconds: number;
  readonly state: TakeoverState;
  /** Empty where nobody was spoken to. */
  readonly ladder: readonly LadderEntry[];
  /** Why the line was lost, where it was. */
  readonly lost?: { readonly reason: LostReason; readonly code: string };
}

type Connect = Extract<NextContact, { kind: "connect" }>;

/**
 * Carries octets between the custodian and one meter for one contact of a takeover. It decides nothing and reads
 * nothing: what is sent and what comes next is the custodian's, whose journal outlives both of us.
 */
export async function carryContact(
  ports: ContactPorts,
  meter: { readonly systemTitle: SystemTitle; readonly route: Route },
  signal: AbortSignal,
): Promise<ContactResult> {
  const next = await ports.custodian.nextContact({ meter: meter.systemTitle });
  if (next.kind === "nothing") return { next: "done", milliseconds: 0, state: next.state, ladder: [] };
  if (next.kind === "wait") return { next: "wait", milliseconds: next.milliseconds, state: next.state, ladder: [] };
  const ladder: LadderEntry[] = [];
  let line: MeterLine;
  try {
    line = await ports.dial(meter.route, next, signal);
  } catch (error) {
    return giveUp(ports, next, ladder, "unreachable", codeOf(error));
  }
  try {
    return await converse(ports, next, line, ladder, signal);
  } finally {
    await line[Symbol.asyncDispose]();
  }
}

async function converse(
  ports: ContactPorts,
  contact: Connect,
  line: MeterLine,
  ladder: LadderEntry[],
  signal: AbortSignal,
): Promise<ContactResult> {
  let { step, apdu } = contact;
  for (;;) {
    ladder.push(entry(ports.now(), true, step, apdu));
    let received: Uint8Array;
    try {
      received = await line.exchange(apdu, signal);
    } catch (error) {
      const code = codeOf(error);
      return giveUp(ports, contact, ladder, lostReason(code), code);
    }
    ladder.push(entry(ports.now(), false, step, received));
    const answer = await ports.custodian.advanceContact({
      contact: contact.contact,
      event: { kind: "received", apdu: received },
    });
    if (answer.kind === "close") {
      if (answer.next === "done" && answer.state.verdict === "proven") line.proven?.();
      return { next: answer.next, milliseconds: answer.milliseconds, state: answer.state, ladder };
    }
    ({ step, apdu } = answer);
  }
}

async function giveUp(
  ports: ContactPorts,
  { contact }: Connect,
  ladder: readonly LadderEntry[],
  reason: LostReason,
  code: string,
): Promise<ContactResult> {
  const answer = await ports.custodian.advanceContact({ contact, event: { kind: "lost", reason } });
  if (answer.kind === "close") {
    const { next, milliseconds, state } = answer;
    return { next, milliseconds, state, ladder, lost: { reason, code } };
  }
  throw new Error("the custodian wants to send on a line that was lost");
}

function lostReason(code: string): LostReason {
  if (code === "response-timeout" || code === "line-silent") return "timed-out";
  return code === "exchange-aborted" ? "abandoned" : "closed";
}

function entry(at: number, toMeter: boolean, step: string, octets: Uint8Array): LadderEntry {
  return {
    at,
    toMeter,
    step,
    summary: contactSummary(step, toMeter, octets),
    octets,
    plain: undefined,
    protection: protectionOf(octets),
  };
}

/** AARQ, AARE, RLRQ, RLRE, exception and public reads go in clear; everything with a ciphering tag does not. */
function protectionOf(octets: Uint8Array): LadderEntry["protection"] {
  const tag = octets[0] ?? 0;
  const ciphered = (tag >= 0xc8 && tag <= 0xd7) || (tag >= 0xdb && tag <= 0xdf);
  return ciphered ? "authenticated" : "none";
}
