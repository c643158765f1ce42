import type { CertificateView } from "@meterkeep/api";
import { type CertificateView as Certificate, CustodianCallError } from "@meterkeep/api/custodian";
import { type SystemTitle, systemTitleText } from "@meterkeep/dlms";
import { DAY_MILLISECONDS, loadOf } from "@meterkeep/headend";
import type { Handlers } from "../http/mount.ts";
import { ProblemError } from "../http/problem-error.ts";
import type { Context } from "./context.ts";

type PkiRoutes = "authorities" | "certificates" | "expiryBoard" | "revocationEffect" | "revocations" | "connections";

const PAGE = 50;
/** RFC 5280 clause 4.1.2.5: without end. */
const NO_END_MS = Date.UTC(9999, 11, 31);

/** The PKI as its administrators look at it. What changes it is done with the command `meterkeep pki`, by the operator. */
export function pkiHandlers(
  context: Pick<Context, "custodian" | "pool" | "scope" | "now" | "connections">,
): Pick<Handlers, PkiRoutes> {
  const { custodian, now } = context;
  return {
    authorities: async () => {
      const { authorities, address } = await custodian.authorities({});
      return {
        address,
        authorities: authorities.map(({ certificate: _, parent, why, createdAt, ...rest }) => ({
          ...rest,
          ...(parent !== undefined && { parent }),
          ...(why !== undefined && { why }),
          createdAt: timeText(createdAt),
        })),
      };
    },
    certificates: async ({ query }) => {
      const { limit = PAGE, key, endsWithinDays, after, authority, serial, systemTitle, subject, state } = query;
      const [notAfter, ofAuthority, ofSerial] = after?.split("/") ?? [];
      const { certificates } = await custodian.searchCertificates({
        utility: undefined,
        authority,
        serial,
        systemTitle,
        subject,
        state,
        keyIdentifier: key,
        endsBefore: endsWithinDays === undefined ? undefined : now() + endsWithinDays * DAY_MILLISECONDS,
        limit,
        after:
          notAfter === undefined
            ? undefined
            : { notAfter: Number(notAfter), authority: ofAuthority!, serial: ofSerial! },
      });
      const last = certificates.at(-1);
      const next =
        last !== undefined && certificates.length === limit
          ? { next: `${last.notAfter}/${last.authority}/${last.serial}` }
          : {};
      return { certificates: certificates.map(certificateOf), ...next };
    },
    expiryBoard: async () => {
      const { moments, rows } = await custodian.expiryBoard({});
      const profiles = [...new Set(rows.map(({ profile }) => profile))];
      return {
        asOf: timeText(now()),
        withinDays: moments.slice(0, -1).map((moment) => Math.round((moment - now()) / DAY_MILLISECONDS)),
        rows: profiles.map((profile) => ({
          profile,
          counts: moments.map(
            (moment) => rows.find((row) => row.profile === profile && row.before === moment)?.count ?? 0,
          ),
        })),
      };
    },
    revocationEffect: async ({ params, query }) => effectOf(context, params.authority, query.serial),
    connections: async () => ({
      connections: (await context.connections()).map(({ since, ...one }) => ({
        ...one,
        ...(since !== undefined && { since: timeText(since) }),
      })),
    }),
    revocations: async () => {
      const { plans, cuts } = await custodian.revocations({});
      return {
        plans: plans.map(({ plannedAt, serial, ...plan }) => ({
          ...plan,
          ...(serial !== undefined && { serial }),
          plannedAt: timeText(plannedAt),
        })),
        cuts: cuts.map(({ cutAt, ...cut }) => ({ ...cut, cutAt: timeText(cutAt) })),
      };
    },
  };
}

/** The custodian knows which meters; what they carry, the head-end. */
async function effectOf(
  { custodian, pool, scope }: Pick<Context, "custodian" | "pool" | "scope">,
  authority: string,
  serial: string | undefined,
) {
  const effect = await custodian.revocationEffect({ authority, serial }).catch((error: unknown) => {
    if (error instanceof CustodianCallError && error.code === "pki-refused")
      throw new ProblemError("authority-unknown", error.message);
    throw error;
  });
  let [watts, measured] = [0, 0];
  for (let after: SystemTitle | undefined; ; ) {
    const { meters } = await custodian.authorityMeters({ authority, serial, after });
    after = meters.at(-1);
    if (after === undefined) break;
    const load = await loadOf(pool, scope, meters.map(systemTitleText));
    watts += load.watts;
    measured += load.meters;
  }
  return {
    authority,
    authorities: effect.authorities,
    certificates: effect.certificates,
    meters: effect.meters,
    loadW: watts,
    metersWithoutLoad: Math.max(0, effect.meters - measured),
    islands: effect.extent.map((one) => ({ ...one })),
    ...(effect.perHour !== undefined && { metersPerHour: effect.perHour }),
    ...(effect.hours !== undefined && { hoursToEnrol: effect.hours }),
  };
}

function certificateOf(one: Certificate): CertificateView {
  const { systemTitle, notBefore, notAfter, orderedAt, revokedAt, reason, certificate: _, ...rest } = one;
  return {
    ...rest,
    ...(systemTitle !== undefined && { systemTitle }),
    notBefore: timeText(notBefore),
    ...(notAfter < NO_END_MS && { notAfter: timeText(notAfter) }),
    orderedAt: timeText(orderedAt),
    ...(revokedAt !== undefined && { revokedAt: timeText(revokedAt) }),
    ...(reason !== undefined && { reason }),
  };
}

function timeText(at: number): string {
  return new Date(at).toISOString();
}
