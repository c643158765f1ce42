import { Inbox, Outbox } from "@meterkeep/headend";
import type { Handlers } from "../http/mount.ts";
import type { Context } from "./context.ts";

const DEFAULT_LIMIT = 200;
const MOST_OCTETS = 8 * 1_048_576;

/** What this island tells, and what it has heard of others. */
export function announcementHandlers({ pool, scope }: Context): Pick<Handlers, "announcements"> {
  const [outbox, inbox] = [new Outbox(pool, scope), new Inbox(pool, scope)];
  return {
    announcements: async ({ query }) => {
      const [own, others] = [await outbox.head(), await inbox.heads()];
      const { origin = own.origin, limit = DEFAULT_LIMIT } = query;
      const after = Number(query.after ?? 0);
      const found =
        origin === own.origin
          ? await outbox.after(after, limit, MOST_OCTETS)
          : await inbox.after(origin, after, limit, MOST_OCTETS);
      return {
        origin,
        announcements: found.map(({ sequence, at, kind, meter, body }) => ({
          sequence,
          at: new Date(at).toISOString(),
          kind,
          meter,
          body: JSON.parse(body) as unknown,
        })),
        origins: [{ origin: own.origin, last: own.last, missing: 0 }, ...others],
      };
    },
  };
}
