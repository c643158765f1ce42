import type { ChangeStateView, CustodianMethod, ManifestStateView } from "@meterkeep/api/custodian";
import { MAX_PAGE_DOCUMENTS, MAX_PAGE_TARGETS } from "@meterkeep/api/custodian";
import { fromHex, systemTitle } from "@meterkeep/dlms";
import {
  CHANGE_KINDS,
  classOf,
  directionOf,
  type Facts,
  facts,
  NO_DOCUMENT,
  operationWords,
  thresholds,
  Wrong,
  writeCanonical,
} from "@meterkeep/guard";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { CustodianService } from "../service/service.ts";
import type { Uploads } from "../shipment/uploads.ts";
import { type Authority, changeKind, type ManifestState, statementText } from "./authority.ts";
import type { ChangeState } from "./changes.ts";
import type { SealDependencies } from "./critical-seals.ts";
import { type Approver, isFounding, thresholdsAt } from "./document.ts";
import type { Enrolment } from "./enrolment.ts";

const METHODS = [
  "authorityState",
  "submitManifest",
  "manifest",
  "manifests",
  "manifestTargets",
  "planChange",
  "changes",
  "statement",
  "approve",
  "freeze",
  "suspendApprover",
  "inviteApprover",
  "enrolApprover",
] as const satisfies readonly CustodianMethod[];

/** The authority's methods of the channel. */
export type AuthorityService = Pick<CustodianService, (typeof METHODS)[number]>;

/** What the authority's methods are made of. */
export interface AuthorityParts extends SealDependencies {
  readonly authority: Authority;
  readonly enrolment: Enrolment;
  readonly uploads: Pick<Uploads, "finish">;
}

/** The authority, as the channel and the custodian's own page serve it. */
export function authorityService(parts: AuthorityParts): AuthorityService {
  const { authority, enrolment, uploads, records, manifests, now, party } = parts;
  const shown = async (state: ManifestState): Promise<ManifestStateView> => ({
    ...manifestView(state),
    progress: await records.progress(state.hash),
  });
  return {
    authorityState: async () => {
      const { approvers, policyServices, pending, frozen, breakGlass, clockDoubt } = authority.document;
      const present = thresholdsAt(authority.document, now());
      const { trouble } = authority;
      return {
        approvers: approvers.map(approverView),
        policyServices: policyServices.map(({ name, enrolledAt }) => ({ name, enrolledAt })),
        thresholds: writeCanonical(thresholds, present),
        ...(pending !== undefined &&
          pending.from > now() && {
            pending: { thresholds: writeCanonical(thresholds, pending.thresholds), from: pending.from },
          }),
        ...(frozen && { frozen }),
        ...(breakGlass !== undefined && breakGlass.until > now() && { breakGlass }),
        founding: isFounding(authority.document),
        page: party.origins[0] ?? "",
        ...(trouble && { trouble }),
        ...(clockDoubt && { clockDoubt }),
        counts: await authority.seals.counts(),
        unsettled: authority.seals.unsettled,
      };
    },
    submitManifest: ({ upload }, caller) =>
      uploads.finish(upload, caller, async (chunks) => shown(await authority.submitManifest(chunks, caller))),
    manifest: async ({ hash }) => {
      const state = await authority.manifestState(hash);
      if (state === undefined) throw new CallRefusal("manifest-refused", "there is no manifest of that hash");
      return shown(state);
    },
    manifests: async ({ limit }) => ({
      manifests: await Promise.all((await authority.manifests(Math.min(limit, MAX_PAGE_DOCUMENTS))).map(shown)),
    }),
    manifestTargets: async ({ hash, from, limit }) => {
      const manifest = await manifests.find(hash);
      if (manifest === undefined) throw new CallRefusal("manifest-refused", "there is no manifest of that hash");
      const targets = manifest.page(from, Math.min(limit, MAX_PAGE_TARGETS));
      return {
        targets: targets.map((target) => ({ ...target, systemTitle: systemTitle(fromHex(target.systemTitle)) })),
      };
    },
    planChange: async ({ kind, body, requester, reason }, caller) => ({
      hash: await authority.changes.plan(changeKind(kind), factsIn(body), requester, reason, caller),
    }),
    changes: async ({ limit }) => ({
      changes: (await authority.changeStates(Math.min(limit, MAX_PAGE_DOCUMENTS))).map(changeView),
    }),
    statement: async ({ decision, hash, approver }) => ({
      statement: statementText(decision, hash === "" ? NO_DOCUMENT : hash, approver, now()),
    }),
    approve: async ({ approval }, caller) => {
      const { missing, executed } = await authority.approve(approval, caller);
      return { ...(missing !== undefined && { missing }), executed };
    },
    freeze: async ({ reason }, caller) => {
      await authority.freeze(reason, caller.name);
      return {};
    },
    suspendApprover: async ({ approver, reason }, caller) => {
      await authority.suspendApprover(approver, reason, caller.name);
      return {};
    },
    inviteApprover: async (candidate, caller) => {
      const [page] = party.origins;
      if (page === undefined)
        throw new CallRefusal("change-refused", "this custodian has no page of its own: enrol a user key");
      return { link: `${page}/#invitation=${enrolment.invite(candidate, caller)}` };
    },
    enrolApprover: async ({ publicKey, approval, ...candidate }, caller) => {
      const { enrolled, change } = await enrolment.enrolApprover(candidate, publicKey, approval, caller);
      return { enrolled, ...(change !== undefined && { change }) };
    },
  };
}

function approverView({ id, name, roles, key, enrolledAt, suspended }: Approver) {
  const credentialId = key.kind === "passkey" ? fromHex(key.credentialId) : new Uint8Array(0);
  return { id, name, roles, key: key.kind, credentialId, enrolledAt, ...(suspended && { suspended }) };
}

/** A manifest without what became of it. */
export function manifestView({ header, missing, ...state }: ManifestState): Omit<ManifestStateView, "progress"> {
  const { operation, targets, loadAtRiskW, requester } = header;
  return {
    ...state,
    header: JSON.stringify(header),
    words: operationWords(operation).slice(0, 1000),
    commandClass: classOf(operation),
    direction: directionOf(operation),
    targets,
    loadAtRiskW,
    requester,
    ...(missing !== undefined && { missing }),
  };
}

/** A change as people see it. */
export function changeView({ request, missing, executedAt, ...state }: ChangeState): ChangeStateView {
  const { kind, body, requester, reason, expiresAt } = request;
  return {
    ...state,
    document: JSON.stringify(request),
    kind,
    words: CHANGE_KINDS[kind].words(body).slice(0, 1000),
    requester,
    reason,
    expiresAt,
    ...(missing !== undefined && { missing }),
    ...(executedAt !== undefined && { executedAt }),
  };
}

function factsIn(written: string): Facts {
  let value: unknown;
  try {
    value = JSON.parse(written);
  } catch {
    throw new CallRefusal("change-refused", "the facts of the change are not JSON");
  }
  const read = facts(value);
  if (read instanceof Wrong) throw new CallRefusal("change-refused", `the facts of the change: ${read.why}`);
  return read;
}
