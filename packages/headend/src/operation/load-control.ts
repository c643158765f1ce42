import { DisconnectControl, remote } from "@meterkeep/dlms";
import { type FieldValue, object, oneOf, whole } from "@meterkeep/guard";
import type { MeterProfile } from "../profile/meter-profile.ts";
import { instanceOf, logicalName } from "../profile/object-name.ts";
import { offered } from "./not-offered.ts";
import type { Operation, OperationSession, ReadBack } from "./operation.ts";

const parameters = object({
  /** From 1. */
  relay: whole(1, 8),
  turn: oneOf(["off", "on"]),
});
type LoadParameters = FieldValue<typeof parameters>;

/** Load control: turns a relay for a load off or on, such as a heat pump's. For the guard that is as grave as the supply. */
export const loadControlOperation: Operation<LoadParameters> = {
  name: "load-control",
  parameters,
  example: { relay: 1, turn: "off" },
  words: ({ relay, turn }) => `turn load relay ${relay} ${turn}`,

  command: ({ relay, turn }, profile) => ({
    kind: turn === "off" ? "disconnect" : "reconnect",
    instance: instanceOf(relayOf(relay, profile)),
  }),

  async preview(on, of) {
    const fact = await stateOf(on, of);
    return {
      changes: !fact.holds,
      sentence: `Load relay ${of.relay} is ${fact.found}.`,
      readBack: [fact],
      findings: [],
    };
  },

  async run(on, of) {
    const before = await stateOf(on, of);
    if (before.holds)
      return {
        outcome: "unchanged",
        sentence: `Load relay ${of.relay} was ${of.turn}.`,
        readBack: [before],
        findings: [],
      };
    const relay = remote(on.session, DisconnectControl, logicalName(relayOf(of.relay, on.profile)));
    await relay.call(of.turn === "off" ? "remoteDisconnect" : "remoteReconnect");
    const after = { ...(await stateOf(on, of)), before: before.found };
    return {
      outcome: after.holds ? "done" : "not-taken",
      sentence: `Load relay ${of.relay} is ${after.found}.`,
      readBack: [after],
      findings: [],
    };
  },
};

async function stateOf(on: OperationSession, { relay, turn }: LoadParameters): Promise<ReadBack> {
  const name = logicalName(relayOf(relay, on.profile));
  on.begin();
  const found = (await remote(on.session, DisconnectControl, name).get("outputState")) ? "on" : "off";
  return {
    name: `load relay ${relay}`,
    object: `${name}/2`,
    wanted: turn,
    found,
    holds: found === turn,
    evidence: on.evidence(),
  };
}

function relayOf(relay: number, profile: MeterProfile): string {
  return offered(profile.loadRelays[relay - 1], `load relay ${relay}`, profile);
}
