import { fromHex, systemTitle, systemTitleText } from "@meterkeep/dlms";
import type { CertificateRemoval, RevocationReason } from "@meterkeep/pki";
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
      const most = Math.max(1, Math.min(limit, PAGE_METERS));
      const removing = await revocations.removing();
      const found: CertificateRemoval[] = [];
      for (const { id } of removing)
        found.push(...(await store.plans.removals(id, after && systemTitleText(after), most)));
      const authorityOf = new Map(removing.map(({ id, authority }) => [id, authority]));
      return {
        removals: pageOf(found, most).map(({ plan, systemTitle: title, utility, island }) => ({
          plan,
          authority: authorityOf.get(plan)!,
          meter: systemTitle(fromHex(title)),
          utility,
          island,
        })),
      };
    },
  };
}

/**
 * The first of several plans' removals, in the order of the meters, since the next page begins behind a meter: of one that
 * several plans free either all are there or none, unless it alone fills the page.
 */
function pageOf(removals: readonly CertificateRemoval[], most: number): readonly CertificateRemoval[] {
  const sorted = removals.toSorted(
    (one, other) => inOrder(one.systemTitle, other.systemTitle) || inOrder(one.plan, other.plan),
  );
  const cut = sorted[most]?.systemTitle;
  const page = sorted.slice(0, most);
  const whole = page.filter(({ systemTitle: title }) => title !== cut);
  return whole.length > 0 ? whole : sorted.filter(({ systemTitle: title }) => title === cut).slice(0, PAGE_METERS);
}

/** By code units. */
function inOrder(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
