import type { SealResult } from "@meterkeep/api/custodian";
import type { KeyServiceBody, KeyServiceResults, KeyServiceRouteName, OctetForm } from "@meterkeep/api/key-service";
import { fromHex, systemTitle, systemTitleText } from "@meterkeep/dlms";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import type { CustodianService } from "../service/service.ts";
import { octetsOf, octetsText } from "./octets.ts";
import { RequestProblem } from "./problem.ts";

/** What the key service asks of the custodian: what its channel offers a head-end, and nothing else. */
export type KeyServiceCalls = Pick<
  CustodianService,
  "openSession" | "advanceSession" | "seal" | "open" | "releaseSession" | "closeSession" | "openPush"
>;

/** What carries out each route. Each throws `RequestProblem` where the request as a whole cannot be carried out. */
export type KeyServiceOperations = {
  readonly [R in KeyServiceRouteName]: (body: KeyServiceBody<R>, caller: Caller) => Promise<KeyServiceResults<R>>;
};

/** Items that are worked on at the same time, of one request. */
const AT_ONCE = 32;

/** The routes of the key service over the custodian's own calls. */
export function keyServiceOperations(calls: KeyServiceCalls): KeyServiceOperations {
  return {
    sessions: (body, caller) =>
      each(body.items, async ({ meter, purpose, ciphering }) => {
        const opened = await calls.openSession({ meter: systemTitle(fromHex(meter)), purpose, ciphering }, caller);
        const { session, clientSap, serverSap, apdu } = opened;
        return { kind: "opened" as const, session, clientSap, serverSap, apdu: octetsText(apdu, formOf(body)) };
      }),
    associate: (body, caller) =>
      each(body.items, async ({ session, apdu }, at) => {
        const received = octets(apdu, at, formOf(body));
        const advance = await calls.advanceSession({ session, received }, caller);
        switch (advance.kind) {
          case "send":
            return { kind: "send" as const, apdu: octetsText(advance.apdu, formOf(body)) };
          case "established":
            return { ...advance, conformance: [...advance.conformance] };
          default:
            return { kind: "failed" as const, code: advance.code, detail: advance.message };
        }
      }),
    seal: (body, caller) =>
      bySession(
        body.items,
        ({ apdu, token }, at) => {
          const form = formOf(body);
          return { apdu: octets(apdu, at, form), ...(token !== undefined && { token: octets(token, at, form) }) };
        },
        async (session, items) =>
          (await calls.seal({ session, items }, caller)).map((one) => sealed(one, formOf(body))),
      ),
    open: (body, caller) =>
      bySession(
        body.items,
        ({ apdu }, at) => octets(apdu, at, formOf(body)),
        async (session, apdus) =>
          (await calls.open({ session, apdus }, caller)).map((one) =>
            one.kind === "opened" ? { ...one, apdu: octetsText(one.apdu, formOf(body)) } : one,
          ),
      ),
    release: (body, caller) =>
      each(body.items, async ({ session }) => {
        const { apdu } = await calls.releaseSession({ session }, caller);
        return { kind: "send" as const, apdu: octetsText(apdu, formOf(body)) };
      }),
    close: (body, caller) =>
      each(body.items, async ({ session, outcome }) => {
        await calls.closeSession({ session, outcome }, caller);
        return { kind: "closed" as const };
      }),
    verify: async (body, caller) => {
      const form = formOf(body);
      const items = body.items.map(({ apdu, transport }, at) => ({ apdu: octets(apdu, at, form), transport }));
      return (await calls.openPush({ items }, caller)).map((one) => {
        const meter = one.meter && systemTitleText(one.meter);
        if (one.kind === "refused")
          return { kind: "refused" as const, code: one.code, ...(meter !== undefined && { meter }) };
        const { authenticated, encrypted, counter } = one;
        const said = { meter: meter as string, authenticated, encrypted, counter };
        return { kind: "verified" as const, ...said, apdu: octetsText(one.apdu, form) };
      });
    },
  };
}

function formOf({ octets: form }: { readonly octets?: OctetForm }): OctetForm {
  return form ?? "hex";
}

function octets(text: string, at: number, form: OctetForm): Uint8Array {
  const found = octetsOf(text, form);
  if (found === undefined) throw new RequestProblem("body-invalid", `/items/${at}: octets are written in ${form}`);
  return found;
}

function sealed(result: SealResult, form: OctetForm) {
  if (result.kind === "sealed") return { kind: "sealed" as const, apdu: octetsText(result.apdu, form) };
  const { code, effect, message } = result;
  return { kind: "refused" as const, code, effect, detail: message };
}

/** A call that was refused concerns its item; whatever else goes wrong, the request. */
function refused(error: unknown) {
  if (!(error instanceof CallRefusal)) throw error;
  return { kind: "refused" as const, code: error.code, detail: error.message };
}

/** Carries out each item on its own, some at a time; results stand where their items stood. */
async function each<I, T>(items: readonly I[], carryOut: (item: I, at: number) => Promise<T>) {
  const results: (T | ReturnType<typeof refused>)[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < items.length) {
      const at = next;
      next += 1;
      results[at] = await carryOut(items[at] as I, at).catch(refused);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, lane));
  return results;
}

/** Gives each session its items in one call; results stand where their items stood. */
async function bySession<I extends { readonly session: string }, P, T>(
  items: readonly I[],
  parse: (item: I, at: number) => P,
  call: (session: string, parsed: readonly P[]) => Promise<readonly T[]>,
) {
  const sessions = new Map<string, { readonly places: number[]; readonly parsed: P[] }>();
  for (const [at, item] of items.entries()) {
    const group = sessions.get(item.session) ?? { places: [], parsed: [] };
    sessions.set(item.session, group);
    group.places.push(at);
    group.parsed.push(parse(item, at));
  }
  const results: (T | ReturnType<typeof refused>)[] = [];
  await each([...sessions], async ([session, { places, parsed }]) => {
    const answers = await call(session, parsed).catch((error: unknown) => {
      const refusal = refused(error);
      return places.map(() => refusal);
    });
    for (const [n, at] of places.entries()) results[at] = answers[n] as T;
  });
  return results;
}
