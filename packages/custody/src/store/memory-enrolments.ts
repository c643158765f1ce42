import { type EnrolmentPolicy, URGENT_RISK } from "../enrolment/policy.ts";
import type { Held } from "./memory-held.ts";
import { conflict } from "./memory-names.ts";
import { type EnrolmentRecord, FIRST_SETUP, type MeterRecord, PURPOSE } from "./records.ts";
import type { EnrolmentPlanning, EnrolmentRecords, Write } from "./store.ts";

/** The newest enrolment of a meter. */
export function newestEnrolment(held: Held, systemTitle: string): EnrolmentRecord | undefined {
  return [...held.enrolments.values()]
    .filter((one) => one.systemTitle === systemTitle)
    .sort((a, b) => b.enrolment - a.enrolment)[0];
}

/** An enrolment is planned in a change of something else. */
export function planEnrolment(draft: Held, { enrolment }: Extract<Write, { kind: "plan-enrolment" }>): void {
  const newest = newestEnrolment(draft, enrolment.systemTitle);
  if ((newest !== undefined && newest.endedAt === undefined) || (newest?.enrolment ?? 0) + 1 !== enrolment.enrolment)
    throw conflict("an enrolment was planned beside another one");
  draft.enrolments.set(`${enrolment.systemTitle}/${enrolment.enrolment}`, enrolment);
}

/** An enrolment begins, or ends. */
export function markEnrolment(draft: Held, write: Extract<Write, { kind: "mark-enrolment" }>): void {
  const name = `${write.place.systemTitle}/${write.enrolment}`;
  const stored = draft.enrolments.get(name);
  if (stored === undefined || stored.endedAt !== undefined) throw conflict("an enrolment that is over was to go on");
  const { begunAt, endedAt, outcome, expiresAt } = write;
  draft.enrolments.set(name, { ...stored, begunAt: stored.begunAt ?? begunAt, endedAt, outcome, expiresAt });
}

/** Enrolments in memory, by the rules of the database. */
export function enrolmentsOf(held: () => Held, change: (work: (draft: Held) => void) => void): EnrolmentRecords {
  let policy: EnrolmentPolicy | undefined;
  const isCapable = (meter: MeterRecord, profiles: readonly string[]) =>
    meter.origin === "shipped" && meter.securitySuite > 0 && profiles.includes(meter.profile);
  const all = () => [...held().meters.values()].sort((a, b) => (a.systemTitle < b.systemTitle ? -1 : 1));
  return {
    plan: async (plan) => {
      const fitting = all().filter((meter) => isCapable(meter, plan.profiles) && fits(held(), meter, plan));
      const planned = fitting.slice(0, plan.limit);
      change((draft) => {
        for (const { utility, island, systemTitle } of planned) {
          const enrolment = (newestEnrolment(draft, systemTitle)?.enrolment ?? 0) + 1;
          draft.enrolments.set(`${systemTitle}/${enrolment}`, {
            utility,
            island,
            systemTitle,
            enrolment,
            cause: plan.cause,
            risk: plan.risk,
            plannedAt: plan.at,
            plannedBy: plan.plannedBy,
            begunAt: undefined,
            endedAt: undefined,
            outcome: undefined,
            expiresAt: undefined,
          });
        }
      });
      return planned.length;
    },
    due: async (begun, waiting, resting) => {
      const rests = new Set(resting);
      const open = [...held().enrolments.values()].filter(({ endedAt }) => endedAt === undefined);
      const first = open
        .filter(({ begunAt, systemTitle }) => begunAt !== undefined && !rests.has(systemTitle))
        .slice(0, begun);
      const next = open
        .filter(({ begunAt }) => begunAt === undefined)
        .sort((a, b) => b.risk - a.risk || a.plannedAt - b.plannedAt || (a.systemTitle < b.systemTitle ? -1 : 1))
        .slice(0, waiting);
      return [...first, ...next].map(({ systemTitle, begunAt, risk }) => ({
        systemTitle,
        begun: begunAt !== undefined,
        isUrgent: risk >= URGENT_RISK,
      }));
    },
    titles: async (profiles, after, limit) =>
      all()
        .filter((meter) => isCapable(meter, profiles) && meter.systemTitle > (after ?? ""))
        .slice(0, limit)
        .map(({ systemTitle }) => systemTitle),
    counts: async (profiles) => {
      const titles = all().filter((meter) => isCapable(meter, profiles));
      const newest = titles.flatMap(({ systemTitle }) => newestEnrolment(held(), systemTitle) ?? []);
      const count = (is: (one: EnrolmentRecord) => boolean) => newest.filter(is).length;
      return {
        capable: titles.length,
        planned: count(({ endedAt, begunAt }) => endedAt === undefined && begunAt === undefined),
        underWay: count(({ endedAt, begunAt }) => endedAt === undefined && begunAt !== undefined),
        enrolled: count(({ outcome }) => outcome === "enrolled"),
        failed: count(({ outcome }) => outcome === "failed"),
      };
    },
    pace: async (since, spanMilliseconds) => {
      const ended = [...held().enrolments.values()].flatMap(({ endedAt = 0, outcome }) =>
        (outcome === "enrolled" || outcome === "freed") && endedAt >= since ? [endedAt] : [],
      );
      return { enrolled: ended.length, spans: new Set(ended.map((at) => Math.floor(at / spanMilliseconds))).size };
    },
    policy: async () => policy,
    setPolicy: async (next) => {
      policy = next;
    },
  };
}

function fits(held: Held, { systemTitle }: MeterRecord, plan: EnrolmentPlanning): boolean {
  if (plan.meters.length > 0 && !plan.meters.includes(systemTitle)) return false;
  const own = [...held.keys.values()].filter((key) => key.systemTitle === systemTitle);
  if (
    !own.some(
      ({ purpose, setup, provenAt }) => purpose === PURPOSE.KEK && setup === FIRST_SETUP && provenAt !== undefined,
    )
  )
    return false;
  const newest = newestEnrolment(held, systemTitle);
  if (newest !== undefined && newest.endedAt === undefined) return false;
  if (plan.cause === "first") return newest === undefined;
  if (plan.cause !== "renewal") return true;
  const { enrolledBefore = 0, endingBefore = 0 } = plan;
  return (
    newest?.outcome === "enrolled" &&
    ((newest.endedAt ?? 0) < enrolledBefore || (newest.expiresAt ?? Number.POSITIVE_INFINITY) < endingBefore)
  );
}
