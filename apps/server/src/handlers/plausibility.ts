import { plausibilityView } from "@meterkeep/headend";
import type { Handlers } from "../http/mount.ts";
import type { Context } from "./context.ts";

const DEFAULT_LIMIT = 200;

/** What is not plausible in what meters say. */
export function plausibilityHandlers(context: Context): Pick<Handlers, "plausibility"> {
  const { pool, scope, inventory, clockOf, now } = context;
  return {
    plausibility: async ({ query: { meter, rule, limit = DEFAULT_LIMIT } }) =>
      plausibilityView(
        pool,
        scope,
        { meter: meter === undefined ? undefined : (await inventory.get(meter)).id, rule, limit },
        (kind) => clockOf(kind).atSource(now()),
      ),
  };
}
