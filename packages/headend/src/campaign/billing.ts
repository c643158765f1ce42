import type { Account, WorkOrder } from "@meterkeep/guard";
import { arrayAt, objectAt, stringAt } from "../inventory/json.ts";
import { signedOffice, timeAt } from "./signed-office.ts";

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

const PAGE = 5_000;

/** The billing system over HTTP, as {@link signedOffice} says: `GET /work-orders/ID`, `POST /accounts`. */
export function httpBilling(address: string, publicKeyPem: string): Billing {
  const ask = signedOffice("billing system", address, publicKeyPem);
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
