/** What a newcomer can do next, chosen by what the town shows. Pure. */

export interface NextStep {
  readonly title: string;
  readonly why: string;
  readonly command?: string;
  readonly to?: "/drill" | "/decode" | "/ledger" | "/account";
}

export interface NextFacts {
  readonly drillsRun: number;
  readonly realMeters: number;
  readonly passkeys: number;
  readonly passkeysOffered: boolean;
}

/** At most three, the most telling first. */
export function nextSteps({ drillsRun, realMeters, passkeys, passkeysOffered }: NextFacts): readonly NextStep[] {
  const steps: NextStep[] = [];
  if (drillsRun === 0)
    steps.push({
      title: "Break in",
      why: "Take the head-end's credentials and try to switch the town off.",
      command: "npx meterkeep drill break-in",
      to: "/drill",
    });
  if (realMeters === 0)
    steps.push({
      title: "Decode your own meter",
      why: "Paste a telegram; it is decoded in this browser and sent nowhere.",
      command: "npx meterkeep decode examples/authenticated.hex --key-file examples/keys.json",
      to: "/decode",
    });
  if (passkeysOffered && passkeys === 0)
    steps.push({ title: "Add a passkey", why: "The link you came by works only once.", to: "/account" });
  steps.push({
    title: "Read the ledger",
    why: "Every key use and every refusal, leaves of one tree, so that a change of the past shows.",
    command: "npx meterkeep status",
    to: "/ledger",
  });
  return steps.slice(0, 3);
}
