import type { Departure, DepartureOrder } from "@meterkeep/api";
import {
  type ChangeStateView,
  CustodianCallError,
  type CustodianRequest,
  type DepartedMeters,
} from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import { loginOf } from "../http/login.ts";
import type { Handlers } from "../http/mount.ts";
import { ProblemError } from "../http/problem-error.ts";
import type { Context } from "./context.ts";
import { record } from "./record.ts";

/** So many of the newest changes are looked through. */
const CHANGES = 100;

/**
 * Meters that leave. What is asked for becomes a change at the custodian, which people sign there; asked for again after
 * that it is carried out. The custodian does neither for this head-end alone.
 */
export function departureHandlers(context: Context): Pick<Handlers, "departMeters" | "listDepartures"> {
  return {
    departMeters: async ({ body, request }) => {
      const { name } = loginOf(request);
      // Of this island all of them: another's are not ours to give away.
      const meters = await Promise.all([...new Set(body.meters)].map((title) => context.inventory.get(title)));
      const order = requestOf({ ...body, meters: meters.map(({ title }) => title) }, name);
      await record(context, "departure-asked", name, { how: body.how, meters: body.meters, reason: body.reason });
      const departed = await depart(context, order);
      if (departed !== undefined) for (const { id } of meters) await context.left(id);
      const found = (await changesOf(context)).find((one) => isOf(one, order));
      if (found === undefined)
        throw new ProblemError("departure-refused", "the custodian shows no change for it: look at its ledger");
      return { ...found, ...(departed?.transfer && { transfer: transferOf(departed.transfer, body) }) };
    },
    listDepartures: async ({ query }) => {
      // A custodian that does not answer leaves a meter's page without them, not without the meter.
      const all = context.custodianWatch.summary.reachable ? await changesOf(context) : [];
      return { departures: all.filter(({ meters }) => query.meter === undefined || meters.includes(query.meter)) };
    },
  };
}

/** Undefined where people have to agree first. */
async function depart(
  { custodian }: Context,
  order: CustodianRequest<"departMeters">,
): Promise<DepartedMeters | undefined> {
  try {
    return await custodian.departMeters(order);
  } catch (error) {
    if (!(error instanceof CustodianCallError)) throw error;
    if (error.code === "approval-required") return undefined;
    if (REFUSED.has(error.code)) throw new ProblemError("departure-refused", error.message);
    throw error;
  }
}

const REFUSED: ReadonlySet<string> = new Set([
  "unknown-meter",
  "meter-left",
  "keys-unsettled",
  "request-malformed",
  "change-refused",
  "too-many-open",
  "record-refused",
]);

function requestOf(order: DepartureOrder, requester: string): CustodianRequest<"departMeters"> {
  const { how, reason, recipient, sender } = order;
  const isGiven = how !== "retired";
  if (isGiven !== (recipient !== undefined) || isGiven !== (sender !== undefined))
    throw new ProblemError(
      "body-invalid",
      isGiven ? "sender and recipient say who gives the meters to whom" : "nobody gets a meter that is retired",
    );
  return {
    meters: order.meters.map((title) => systemTitle(fromHex(title))),
    how,
    reason,
    requester,
    sender: sender ?? { flag: "", name: "" },
    recipient: recipient && {
      name: recipient.name,
      ecdhPublicKey: octets(recipient.ecdhPublicKey),
      mlkemPublicKey: octets(recipient.mlkemPublicKey),
    },
  };
}

async function changesOf({ custodian }: Context): Promise<readonly Departure[]> {
  const [{ changes }, { page }] = await Promise.all([
    custodian.changes({ limit: CHANGES }),
    custodian.authorityState({}),
  ]);
  return changes.flatMap((change) => {
    const about = aboutOf(change);
    if (about === undefined) return [];
    const { hash, words, requester, reason, state, approvedBy, missing, submittedAt, executedAt } = change;
    return {
      change: hash,
      ...about,
      words,
      requester,
      reason,
      state: STATES[state],
      approvedBy: [...approvedBy],
      ...(missing !== undefined && { missing }),
      ...(page !== "" && { page }),
      submittedAt: new Date(submittedAt).toISOString(),
      ...(executedAt !== undefined && { executedAt: new Date(executedAt).toISOString() }),
    };
  });
}

const STATES = { planned: "waiting", approved: "approved", executed: "done", expired: "expired" } as const;

/** What leaves, as the document that is signed says it; undefined for changes of another kind. */
function aboutOf({ kind, document }: ChangeStateView): Pick<Departure, "how" | "meters"> | undefined {
  if (kind !== "retire-meter" && kind !== "export-keys") return undefined;
  const { body } = JSON.parse(document) as {
    readonly body: { readonly meter?: string[]; readonly meters?: string[]; readonly how?: Departure["how"] };
  };
  if (kind === "retire-meter") return { how: "retired", meters: body.meter ?? [] };
  return { how: body.how ?? "transferred", meters: body.meters ?? [] };
}

function isOf({ how, meters }: Departure, order: CustodianRequest<"departMeters">): boolean {
  const titles = order.meters.map((title) => Buffer.from(title).toString("hex").toUpperCase());
  return how === order.how && meters.length === titles.length && meters.every((title, at) => title === titles[at]);
}

function transferOf(
  { shipment, file, ecdsaPublicKey, mldsaPublicKey }: NonNullable<DepartedMeters["transfer"]>,
  { sender }: DepartureOrder,
): NonNullable<Departure["transfer"]> {
  return {
    shipment,
    file: text(file),
    sender: {
      flag: sender?.flag ?? "",
      name: sender?.name ?? "",
      ecdsaPublicKey: text(ecdsaPublicKey),
      mldsaPublicKey: text(mldsaPublicKey),
    },
  };
}

function octets(base64url: string): Uint8Array {
  return new Uint8Array(Buffer.from(base64url, "base64url"));
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}
