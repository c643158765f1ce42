import type { OfficeBooks } from "./office.ts";

/** A work order as the office writes it. */
interface WorkOrder {
  readonly id: string;
  readonly reason: string;
  readonly meters: readonly string[];
  readonly notBefore: string;
  readonly notAfter: string;
  readonly cancelled?: boolean;
}

/** A customer. Whom nobody has written down pays, and was told of nothing. */
interface Account {
  readonly meter: string;
  readonly inArrears: boolean;
  readonly notifiedAt?: string;
  readonly contractW?: number;
}

/** The billing office of the town: it answers about work orders and accounts, and a clerk writes `PUT /work-orders/ID` and `PUT /accounts/METER`. */
export function billingBooks(): OfficeBooks {
  const orders = new Map<string, WorkOrder>();
  const accounts = new Map<string, Account>();
  return {
    name: "billing",
    answer: async (method, path, body) => {
      const order = /^\/work-orders\/([^/]{1,128})$/.exec(path)?.[1];
      if (method === "GET" && order !== undefined) return orders.get(decodeURIComponent(order));
      if (method !== "POST" || path !== "/accounts") return undefined;
      const { meters } = (await body()) as { readonly meters: readonly string[] };
      return { accounts: meters.map((meter) => accounts.get(meter) ?? { meter, inArrears: false }) };
    },
    write: (path, body) => {
      const [, kind, id = ""] = /^\/(work-orders|accounts)\/([^/]{1,128})$/.exec(path) ?? [];
      if (kind === undefined) return false;
      const written = body as WorkOrder & Account;
      if (kind === "accounts") accounts.set(id, { ...written, meter: id });
      else orders.set(decodeURIComponent(id), { ...written, id: decodeURIComponent(id) });
      return true;
    },
  };
}
