import { fromHex, systemTitle, systemTitleText } from "@meterkeep/dlms";
import type { RevocationReason } from "@meterkeep/pki";
import type { Changes } from "../authority/changes.ts";
import type { CustodianService } from "../service/service.ts";
import type { Pki } from "./open-pki.ts";
import { planView } from "./views.ts";

const PAGE_METERS = 1000;

/** The methods of revocations in stages. */
export function revocationService(
  { revocations, store, tend, onFailure }: Pki,
  changes: Pick<Changes, "require">,
): Pick<
  CustodianService,
  "revocationEffect" | "planRevocation" | "moveRevocation" | "revocations" | "certificateRemovals" | "authorityMeters"
> {
  return {
    revocationEffect: async ({ authority, serial }) => {
      const { authorities, meters, certificates, extent, perHour, hours } = await revocations.effect({
        authority,
        serial,
      });
      return {
        authority,
        authorities: authorities.length,
        meters,
        certificates,
        extent: [...extent],
        perHour,
        hours,
      };
    },
    authorityMeters: async ({ authority, serial, after }) => {
      const below = await revocations.concerned({ authority, serial });
      const page = await store.registry.meters(below, after && systemTitleText(after), PAGE_METERS);
      return { meters: page.map((one) => systemTitle(fromHex(one.systemTitle))) };
    },
    planRevocation: async ({ authority, serial, reason }, caller) => {
      // What it would do is refused before people are asked to agree to it.
      await revocations.effect({ authority, serial });
      const agreed = { authority, ...(serial !== undefined && { certificate: serial }), reason };
      await changes.require("revoke-authority", agreed, caller);
      return planView(await revocations.plan({ authority, serial }, reason as RevocationReason, caller.name));
    },
    moveRevocation: async ({ plan, move }, caller) => {
      const stage = await revocations.stageAfter(plan, move);
      // Stopping needs nobody's leave.
      if (move !== "stop") await changes.require("move-revocation", { plan, move, stage }, caller);
      const moved = await revocations.move(plan, move, caller.name);
      // It begins at once; what it comes to, `revocations` says.
      tend().catch(onFailure);
      return planView(moved);
    },
    revocations: async () => ({
      plans: (await revocations.list()).map(planView),
      cuts: [...(await store.plans.cuts())],
    }),
    certificateRemovals: async ({ after, limit }) => {
      const removals = [];
      for (const { id, authority } of await revocations.removing()) {
        const page = await store.plans.removals(id, after && systemTitleText(after), Math.min(limit, PAGE_METERS));
        for (const { plan, systemTitle: title, utility, island } of page)
          removals.push({ plan, authority, meter: systemTitle(fromHex(title)), utility, island });
      }
      return { removals: removals.slice(0, Math.min(limit, PAGE_METERS)) };
    },
  };
}
