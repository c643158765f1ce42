import type { AuthorityState, ChangeStateView, ManifestStateView } from "@meterkeep/api/custodian";

const when = (time: number): string => new Date(time).toISOString();

/** A manifest as people read it before they sign it. */
export function manifestText(of: ManifestStateView): string {
  const { notBefore, notAfter, reason, workOrder } = JSON.parse(of.header) as Readonly<Record<string, unknown>>;
  const { executed, open, refused, superseded } = of.progress;
  return lines(
    `${of.hash}`,
    `  ${of.words} (${of.commandClass})`,
    `  ${of.targets} ${of.targets === 1 ? "meter" : "meters"}, ${(of.loadAtRiskW / 1000).toFixed(1)} kW, from ${when(Number(notBefore))} to ${when(Number(notAfter))}`,
    `  asked for by ${of.requester}: ${String(reason)} ${String(workOrder)}`.trimEnd(),
    approvalText(of),
    `  done: ${executed} executed, ${open} not answered, ${refused} refused, ${superseded} never taken`,
  );
}

/** A change as people read it before they sign it. */
export function changeText(of: ChangeStateView): string {
  return lines(
    of.hash,
    `  ${of.words} (${of.kind})`,
    `  asked for by ${of.requester}${of.reason === "" ? "" : `: ${of.reason}`}`,
    approvalText(of),
    `  expires ${when(of.expiresAt)}`,
  );
}

function approvalText({ state, approvedBy, people, missing }: ManifestStateView | ChangeStateView): string {
  const by = approvedBy.length === 0 ? "nobody yet" : approvedBy.join(", ");
  return `  ${state}; approved by ${by}, it takes ${people}${missing === undefined ? "" : ` (${missing})`}`;
}

/** Who may approve, what is frozen and how much of the caps is used. */
export function authorityText(state: AuthorityState, changes: readonly ChangeStateView[] = []): string {
  const { approvers, policyServices, frozen, breakGlass, trouble, counts, unsettled, page } = state;
  return lines(
    ...(trouble === undefined ? [] : [trouble.message]),
    frozen === undefined
      ? "Nothing is frozen."
      : `Frozen since ${when(frozen.since)} by ${frozen.by}: ${frozen.reason}`,
    ...changes
      .filter(({ state: is }) => is === "planned" || is === "approved")
      .map(
        ({ words, hash, approvedBy, people }) =>
          `Waits for approval, ${approvedBy.length} of ${people}: ${words}\n  npx meterkeep approve ${hash} --as ID --key FILE`,
      ),
    ...(breakGlass === undefined ? [] : [`THE CAPS ARE LIFTED until ${when(breakGlass.until)}: ${breakGlass.reason}`]),
    ...(approvers.length === 0 ? ["Nobody may approve yet: `npx meterkeep approvers invite`."] : []),
    ...approvers.map(
      ({ id, name, roles, key, suspended }) =>
        `  ${id}  ${name} (${roles.join(", ")}), ${suspended === undefined ? key : `suspended: ${suspended.reason}`}`,
    ),
    ...policyServices.map(({ name }) => `  policy service ${name}`),
    `Commands that can switch off: ${counts.day} of ${counts.dayCap} in 24 hours, ${counts.tenMinutes} of ${counts.tenMinutesCap} in ten minutes; of ${unsettled} meters it is not known what they did.`,
    ...(page === "" ? [] : [`The custodian's own page: ${page}`]),
  );
}

function lines(...of: readonly string[]): string {
  return `${of.join("\n")}\n`;
}
