import { LedgerError, type LedgerKeeper } from "@meterkeep/ledger";
import type { DocumentKeeper } from "../authority/document-keeper.ts";
import type { Backups } from "../backup/backups.ts";
import type { SecondStorage } from "../backup/second-storage.ts";
import type { ContactKind } from "../calls/open-contacts.ts";
import type { Enrolments } from "../enrolment/enrolments.ts";
import type { Removals } from "../enrolment/removals.ts";
import type { EntryBursts } from "../evidence/entry-bursts.ts";
import type { Leases } from "../lease/leases.ts";
import type { ForeignWatch } from "../ledger/foreign-watch.ts";
import { installationEntry } from "../ledger/installation-entry.ts";
import type { LedgerPatrol } from "../ledger/patrol.ts";
import type { Pki } from "../pki/open-pki.ts";
import type { Rotations } from "../rotation/rotations.ts";
import type { Sessions } from "../session/sessions.ts";
import type { Uploads } from "../shipment/uploads.ts";
import type { GroupCommitter } from "../store/committer.ts";
import type { OpenedVault } from "../vault/open-vault.ts";
import type { Custody } from "./custody.ts";

/** What is kept up while custody is open, and let go in the end. */
export interface UpkeepParts {
  readonly opened: Pick<OpenedVault, "tend" | "close">;
  readonly secondStorage: Pick<SecondStorage, "tend" | "finish" | "close">;
  readonly committer: Pick<GroupCommitter, "submit" | "close" | "isCommitting">;
  readonly keeper: Pick<LedgerKeeper, "state" | "checkpoint" | "halt">;
  readonly bursts: Pick<EntryBursts, "sweep">;
  /** Contacts with meters, whatever they are for. */
  readonly contacts: readonly ContactKind[];
  readonly sessions: Pick<Sessions, "endOfCaller" | "sweep" | "closeAll">;
  readonly uploads: Pick<Uploads, "sweep" | "closeAll">;
  readonly backups: Pick<Backups, "sweep" | "closeAll">;
  readonly rotations: Pick<Rotations, "sweep">;
  readonly enrolments: Pick<Enrolments, "sweep">;
  readonly pki: Pick<Pki, "tend" | "onFailure">;
  readonly removals: Pick<Removals, "sweep">;
  readonly documents: Pick<DocumentKeeper, "tend">;
  readonly foreignWatch: Pick<ForeignWatch, "tend" | "passed">;
  readonly patrol: Pick<LedgerPatrol, "tick" | "passed">;
  /** Refuses a database that can answer otherwise than by its rows. @throws LedgerError `ledger-under-rules` */
  readonly requireOwnRules: () => Promise<void>;
  readonly leases: Pick<Leases, "sweep">;
  readonly now: () => number;
}

/** From one look at the rules of the database to the next. */
const RULES_MILLISECONDS = 10_000;
/** Meters of which something is under way that are named. */
const MOST_NAMED = 10;

/** What custody does by itself: what happens when a caller has gone, every few seconds, and when it closes. */
export function upkeep(parts: UpkeepParts): Pick<Custody, "gone" | "sweep" | "patrol" | "underWay" | "close"> {
  const { opened, secondStorage, committer, keeper, bursts, now } = parts;
  const { contacts, sessions, uploads, backups } = parts;
  let rulesAt = Number.NEGATIVE_INFINITY;
  const lookAtRules = async (): Promise<void> => {
    if (now() - rulesAt < RULES_MILLISECONDS) return;
    await parts.requireOwnRules().catch((error: unknown) => {
      // What was decided since the last look may rest on an answer that was none.
      if (error instanceof LedgerError) keeper.halt(error);
      throw error;
    });
    rulesAt = now();
  };
  return {
    gone: async (name) => {
      await Promise.all([...contacts.map(({ ends }) => ends), sessions].map((open) => open.endOfCaller(name)));
    },
    sweep: async () => {
      for (const kind of contacts) kind.sweep();
      await sessions.sweep();
      await uploads.sweep();
      await bursts.sweep();
      await parts.rotations.sweep();
      await parts.enrolments.sweep();
      if (keeper.state.halt === undefined) {
        // While a token is away nothing is signed in it, and a revocation may be stuck: all else goes on.
        await parts.pki.tend().catch(parts.pki.onFailure);
        await parts.removals.sweep();
      }
      await backups.sweep();
      if (keeper.state.halt === undefined) {
        await parts.documents.tend();
        await parts.foreignWatch.tend();
        await parts.leases.sweep();
        await secondStorage.tend();
      }
      await opened.tend();
    },
    patrol: async () => {
      if (keeper.state.halt !== undefined) return false;
      await lookAtRules();
      const hasPassed = await parts.patrol.tick();
      if (hasPassed && parts.patrol.passed !== undefined) parts.foreignWatch.passed(parts.patrol.passed);
      return hasPassed;
    },
    underWay: () => {
      const busy = contacts.flatMap(({ ends }) => ends.underWay());
      return [
        ...(busy.length > 0
          ? [`contacts with ${busy.length} meters, ${busy.slice(0, MOST_NAMED).join(", ")} among them`]
          : []),
        ...(committer.isCommitting ? ["a commit, of which nobody knows whether it is done"] : []),
      ];
    },
    close: async () => {
      // Whatever cannot be written any more, because the database is away, all is let go.
      await using closing = new AsyncDisposableStack();
      closing.defer(() => opened.close());
      closing.defer(() => secondStorage.close());
      closing.defer(() => committer.close());
      await Promise.all(contacts.map(({ ends }) => ends.closeAll()));
      await sessions.closeAll();
      await uploads.closeAll();
      await backups.closeAll();
      if (keeper.state.halt === undefined) {
        await bursts.sweep(true);
        await secondStorage.finish();
        await committer.submit({ entries: [installationEntry(now(), "custodian-stopped", "custodian", {})] });
        await keeper.checkpoint();
      }
    },
  };
}
