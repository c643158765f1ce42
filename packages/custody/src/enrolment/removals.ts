import type { PkiStore, RevocationPlan } from "@meterkeep/pki";
import type { Pki } from "../pki/open-pki.ts";
import type { CheckedFiles } from "../records/checked-files.ts";
import type { Enrolments } from "./enrolments.ts";
import { ENROLMENT_REQUESTER } from "./meter-authority.ts";
import { canBeEnrolled } from "./view.ts";

/** Meters that are looked at together, and how many looks a sweep takes. */
const PAGE_METERS = 500;
const PAGES_A_SWEEP = 4;
/** After this long the meters that are left are planned for again: their enrolment failed, or they were not taken over. */
const AGAIN_MILLISECONDS = 600_000;

/** What removals are driven with. */
export interface RemovalDependencies {
  readonly revocations: Pick<Pki["revocations"], "removing" | "freed">;
  readonly plans: Pick<PkiStore["plans"], "removals">;
  readonly files: Pick<CheckedFiles, "loadPage">;
  readonly enrolments: Pick<Enrolments, "free">;
  readonly now: () => number;
}

/** How far the planning of one revocation's removals has come. */
interface Cursor {
  readonly after: string | undefined;
  /** Not before. */
  readonly at: number;
}

/**
 * Plans contacts for the meters that a revocation is to free of certificates, page by page, as long as it is removing:
 * what a meter says in its contact ends its removal, and nobody's word does. Meters that can hold nothing of ours are
 * freed at once.
 */
export class Removals {
  readonly #dependencies: RemovalDependencies;
  readonly #cursors = new Map<string, Cursor>();

  constructor(dependencies: RemovalDependencies) {
    this.#dependencies = dependencies;
  }

  /** Plans the next pages. To be called every few seconds. */
  async sweep(): Promise<void> {
    const running = await this.#dependencies.revocations.removing();
    for (const id of this.#cursors.keys()) if (!running.some((plan) => plan.id === id)) this.#cursors.delete(id);
    for (const plan of running)
      for (let page = 0; page < PAGES_A_SWEEP; page += 1) if (!(await this.#page(plan))) break;
  }

  /** True where there may be more. */
  async #page({ id }: RevocationPlan): Promise<boolean> {
    const { plans, files, enrolments, revocations, now } = this.#dependencies;
    const { after, at } = this.#cursors.get(id) ?? { after: undefined, at: 0 };
    if (now() < at) return false;
    const page = await plans.removals(id, after, PAGE_METERS);
    const titles = page.map(({ systemTitle }) => systemTitle);
    const isLast = page.length < PAGE_METERS;
    if (titles.length > 0) {
      const known = await files.loadPage(titles, undefined, titles.length);
      const able = new Set(known.filter(canBeEnrolled).map(({ meter }) => meter.systemTitle));
      const others = titles.filter((title) => !able.has(title));
      for (const title of others)
        await revocations.freed(id, title, "it holds no certificates of ours", ENROLMENT_REQUESTER);
      if (able.size > 0) await enrolments.free([...able]);
    }
    this.#cursors.set(id, { after: isLast ? undefined : titles.at(-1), at: isLast ? now() + AGAIN_MILLISECONDS : 0 });
    return !isLast;
  }
}
