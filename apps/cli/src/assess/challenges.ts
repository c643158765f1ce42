import { stepAssociation } from "@meterkeep/dlms";
import { aareIn } from "./answer.ts";
import type { Bench, CipheredConfig } from "./bench.ts";
import { NotTestable } from "./not-testable.ts";

const COUNTERS = 3;

/** The AARQ of a configuration. @throws NotTestable when none can be made */
export function aarqOf(bench: Bench, config: CipheredConfig): Uint8Array {
  const invocationCounter = bench.counters.take(COUNTERS);
  const [, effect] = stepAssociation({ kind: "idle", config }, { kind: "associate", invocationCounter });
  if (effect?.kind !== "send") throw new NotTestable("No AARQ can be made of the keys given.");
  return effect.apdu;
}

/** The same configuration with a challenge of the caller's. */
export function withChallenge(config: CipheredConfig, challenge: Uint8Array): CipheredConfig {
  const { authentication } = config;
  return authentication.kind === "gmac" || authentication.kind === "hls"
    ? { ...config, authentication: { ...authentication, challenge } }
    : config;
}

/** The challenges that the meter answers ours with, as it sent them; fewer where it gives up. */
export async function challengesFor(bench: Bench, ours: readonly Uint8Array[]): Promise<Uint8Array[]> {
  const theirs: Uint8Array[] = [];
  for (const challenge of ours) {
    const config = withChallenge(bench.genuine(), challenge);
    const probe = await bench.open();
    const answer = await probe.say("AARQ with a challenge of ours", aarqOf(bench, config));
    await probe[Symbol.asyncDispose]();
    const aare = answer.kind === "octets" ? aareIn(answer.octets) : undefined;
    if (aare?.result !== "accepted" || aare.respondingAuthenticationValue === undefined) break;
    theirs.push(aare.respondingAuthenticationValue.slice());
  }
  return theirs;
}
