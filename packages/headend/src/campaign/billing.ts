import { createPublicKey, verify } from "node:crypto";
import type { Account, WorkOrder } from "@meterkeep/guard";
import { arrayAt, objectAt, stringAt } from "../inventory/json.ts";

/** What the guard asks the billing system for. It throws where there is no answer that can be believed: silence refuses. */
export interface Billing {
  /** Undefined where there is none of that id. */
  workOrder(id: string): Promise<WorkOrder | undefined>;
  /** By system title, upper-case hex. */
  accounts(meters: readonly string[]): Promise<ReadonlyMap<string, Account>>;
}

/** No billing system: nothing that needs a work order goes on. */
export const NO_BILLING: Billing = {
  workOrder: () => Promise.reject(new Error("no billing system is set up")),
  accounts: () => Promise.reject(new Error("no billing system is set up")),
};

const PATIENCE_MILLISECONDS = 5_000;
const PAGE = 5_000;
const MOST_BYTES = 16 * 1024 * 1024;

/**
 * The billing system over HTTP. Each answer is JSON with a signature over its octets (header `x-signature`, ECDSA P-256 with
 * SHA-256, r and s, base64): who stands on the line can be silent, and nothing else.
 */
export function httpBilling(address: string, publicKeyPem: string): Billing {
  const key = createPublicKey(publicKeyPem);
  const ask = async (path: string, body?: unknown): Promise<unknown> => {
    const response = await fetch(new URL(path, address), {
      method: body === undefined ? "GET" : "POST",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MILLISECONDS),
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    if (response.status === 404) return undefined;
    if (!response.ok) throw new Error(`the billing system answers ${response.status}`);
    if (Number(response.headers.get("content-length") ?? 0) > MOST_BYTES) throw new Error("the answer is too long");
    const octets = Buffer.from(await response.arrayBuffer());
    const signature = Buffer.from(response.headers.get("x-signature") ?? "", "base64");
    if (!verify("sha256", octets, { key, dsaEncoding: "ieee-p1363" }, signature))
      throw new Error("the billing system's answer is not signed by it");
    return JSON.parse(octets.toString("utf8"));
  };
  return {
    workOrder: async (id) => {
      const answer = await ask(`/work-orders/${encodeURIComponent(id)}`);
      return answer === undefined ? undefined : workOrderIn(answer, id);
    },
    accounts: async (meters) => {
      const accounts = new Map<string, Account>();
      for (let at = 0; at < meters.length; at += PAGE) {
        const answer = objectAt(await ask("/accounts", { meters: meters.slice(at, at + PAGE) }), "the answer");
        for (const each of arrayAt(answer, "accounts")) {
          const fields = objectAt(each, "an account");
          accounts.set(stringAt(fields, "meter"), accountIn(fields));
        }
      }
      return accounts;
    },
  };
}

function workOrderIn(answer: unknown, id: string): WorkOrder {
  const fields = objectAt(answer, "the work order");
  // An answer to another question, signed as well, is none to this one.
  if (fields["id"] !== id) throw new Error("the billing system answers about another work order");
  return {
    id,
    reason: stringAt(fields, "reason"),
    meters: new Set(arrayAt(fields, "meters").map(String)),
    notBefore: timeAt(fields, "notBefore"),
    notAfter: timeAt(fields, "notAfter"),
    cancelled: fields["cancelled"] === true,
  };
}

function accountIn(fields: Readonly<Record<string, unknown>>): Account {
  const { inArrears, notifiedAt, contractW } = fields;
  return {
    inArrears: inArrears === true,
    notifiedAt: notifiedAt === undefined ? undefined : timeAt(fields, "notifiedAt"),
    contractW: typeof contractW === "number" ? contractW : undefined,
  };
}

function timeAt(fields: Readonly<Record<string, unknown>>, name: string): number {
  const at = Date.parse(stringAt(fields, name));
  if (Number.isNaN(at)) throw new Error(`${name} is no time`);
  return at;
}
