import { DisconnectControl, remote } from "@meterkeep/dlms";
import { type FieldValue, object, oneOf, whole } from "@meterkeep/guard";
import type { MeterProfile } from "../profile/meter-profile.ts";
import { instanceOf, logicalName } from "../profile/object-name.ts";
import { offered } from "./not-offered.ts";
import type { Operation, OperationSession, ReadBack } from "./operation.ts";

const turn = oneOf(["off", "on"]);
const loadParameters = object({
  /** From 1. */
  relay: whole(1, 8),
  turn,
});
const injectionParameters = object({ turn });

/** Load control: turns a relay for a load off or on, such as a heat pump's. For the guard that is as grave as the supply. */
export const loadControlOperation: Operation<FieldValue<typeof loadParameters>> = relayOperation({
  name: "load-control",
  parameters: loadParameters,
  example: { relay: 1, turn: "off" },
  kinds: { off: "disconnect", on: "reconnect" },
  nameOf: ({ relay }) => `load relay ${relay}`,
  obisOf: ({ relay }, profile) => profile.loadRelays[relay - 1],
});

/** Turns what homes feed in off or on, as where a feeder has more of it than it can carry. */
export const injectionControlOperation: Operation<FieldValue<typeof injectionParameters>> = relayOperation({
  name: "injection-control",
  parameters: injectionParameters,
  example: { turn: "off" },
  kinds: { off: "injection-stop", on: "injection-release" },
  nameOf: () => "injection relay",
  obisOf: (_, { injectionRelay }) => injectionRelay,
});

interface Turned {
  readonly turn: "off" | "on";
}

interface RelayFacts<P extends Turned> extends Pick<Operation<P>, "name" | "parameters" | "example"> {
  /** What a manifest has to allow. */
  readonly kinds: Readonly<Record<Turned["turn"], "disconnect" | "reconnect" | "injection-stop" | "injection-release">>;
  nameOf(parameters: P): string;
  obisOf(parameters: P, profile: MeterProfile): string | undefined;
}

function relayOperation<P extends Turned>(facts: RelayFacts<P>): Operation<P> {
  const { name, parameters, example, kinds, nameOf } = facts;
  const relayOf = (of: P, profile: MeterProfile): string => offered(facts.obisOf(of, profile), nameOf(of), profile);
  const relayIn = (on: OperationSession, of: P) =>
    remote(on.session, DisconnectControl, logicalName(relayOf(of, on.profile)));
  const stateOf = async (on: OperationSession, of: P): Promise<ReadBack> => {
    on.begin();
    const found = (await relayIn(on, of).get("outputState")) ? "on" : "off";
    return {
      name: nameOf(of),
      object: `${logicalName(relayOf(of, on.profile))}/2`,
      wanted: of.turn,
      found,
      holds: found === of.turn,
      evidence: on.evidence(),
    };
  };
  const said = (of: P, words: string): string => {
    const sentence = `${nameOf(of)} ${words}.`;
    return `${sentence[0]?.toUpperCase()}${sentence.slice(1)}`;
  };
  return {
    name,
    parameters,
    example,
    words: (of) => `turn ${nameOf(of)} ${of.turn}`,
    command: (of, profile) => ({ kind: kinds[of.turn], instance: instanceOf(relayOf(of, profile)) }),

    async preview(on, of) {
      const fact = await stateOf(on, of);
      return { changes: !fact.holds, sentence: said(of, `is ${fact.found}`), readBack: [fact], findings: [] };
    },

    async run(on, of) {
      const before = await stateOf(on, of);
      if (before.holds)
        return { outcome: "unchanged", sentence: said(of, `was ${of.turn}`), readBack: [before], findings: [] };
      await relayIn(on, of).call(of.turn === "off" ? "remoteDisconnect" : "remoteReconnect");
      const after = { ...(await stateOf(on, of)), before: before.found };
      const outcome = after.holds ? "done" : "not-taken";
      return { outcome, sentence: said(of, `is ${after.found}`), readBack: [after], findings: [] };
    },
  };
}
