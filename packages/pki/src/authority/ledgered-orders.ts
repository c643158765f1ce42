/** An order for a certificate, or the making of an authority under another, as the ledger has it. */
export interface LedgeredOrder {
  /** Who was to sign it. */
  readonly authority: string;
  /** Lower-case hex. */
  readonly serial: string;
  readonly profile: string;
  /** Identifier of its key, as its profile makes it. */
  readonly key: string;
  readonly requester: string;
  /** The device that it is for, upper-case hex. */
  readonly systemTitle: string | undefined;
}

/** Orders as the ledger has them, which is witnessed where the registry is not. */
export interface LedgeredOrders {
  /** Those of an authority with these serial numbers, and the authorities that were made under it with one of them. */
  ofSerials(authority: string, serials: readonly string[]): Promise<readonly LedgeredOrder[]>;
  /** Those about a device. */
  ofMeter(systemTitle: string): Promise<readonly LedgeredOrder[]>;
  /** Those of an authority in the order of their serial numbers, after one of these. */
  page(authority: string, after: string | undefined, limit: number): Promise<readonly LedgeredOrder[]>;
  /** How many a requester has ordered since; a one-time password that it made is an order as well. */
  countSince(requester: string, since: number): Promise<number>;
}

/** Entries of the ledger by which certificates were ordered; an authority's has a kind of its own. */
export const CERTIFICATE_ORDERED = "certificate-ordered";
export const AUTHORITY_MADE = "authority-made";
/** By which somebody let whoever has a one-time password order one certificate. */
export const PASSWORD_MADE = "enrolment-password-made";

/** An entry of the ledger that may be an order. */
export interface OrderEntry {
  readonly at: number;
  readonly kind: string;
  readonly principal: string;
  readonly meter?: string | undefined;
  /** As it was drafted, or as JSON. */
  readonly body: unknown;
}

/** What an entry orders; undefined where it orders nothing. */
export function orderOf({
  kind,
  principal: requester,
  meter: systemTitle,
  body,
}: OrderEntry): LedgeredOrder | undefined {
  if (kind !== CERTIFICATE_ORDERED && kind !== AUTHORITY_MADE) return undefined;
  const said = (typeof body === "string" ? JSON.parse(body) : body) as {
    readonly authority: string;
    readonly parent?: string | null;
    readonly serial: string;
    readonly profile: string;
    readonly key?: string;
  };
  const { serial, profile } = said;
  if (kind === CERTIFICATE_ORDERED)
    return { authority: said.authority, serial, profile, key: said.key ?? "", requester, systemTitle };
  // An authority is named by the identifier of its key. A root signs itself.
  return { authority: said.parent ?? said.authority, serial, profile, key: said.authority, requester, systemTitle };
}

/** Entries of a ledger that is in memory, as they are at each look. */
export type EntriesInMemory = () => readonly OrderEntry[] | Promise<readonly OrderEntry[]>;

/** Orders by the entries of a ledger that is in memory. */
export function ordersOfEntries(entries: EntriesInMemory): LedgeredOrders {
  const among = async (...kinds: readonly string[]): Promise<LedgeredOrder[]> =>
    (await entries()).flatMap((entry) => (kinds.includes(entry.kind) ? (orderOf(entry) ?? []) : []));
  return {
    ofSerials: async (authority, serials) =>
      (await among(CERTIFICATE_ORDERED, AUTHORITY_MADE)).filter(
        (one) => one.authority === authority && serials.includes(one.serial),
      ),
    ofMeter: async (systemTitle) => (await among(CERTIFICATE_ORDERED)).filter((one) => one.systemTitle === systemTitle),
    page: async (authority, after = "", limit) =>
      (await among(CERTIFICATE_ORDERED))
        .filter((one) => one.authority === authority && one.serial > after)
        .sort((one, other) => (one.serial < other.serial ? -1 : 1))
        .slice(0, limit),
    countSince: async (requester, since) =>
      (await entries()).filter(
        ({ kind, principal, at }) =>
          (kind === CERTIFICATE_ORDERED || kind === PASSWORD_MADE) && principal === requester && at >= since,
      ).length,
  };
}
