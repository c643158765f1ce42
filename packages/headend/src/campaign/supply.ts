import { DisconnectControl, Register, remote } from "@meterkeep/dlms";
import { type FieldValue, object } from "@meterkeep/guard";
import type { Operation, OperationResult, OperationSession, ReadBack } from "../operation/operation.ts";
import { instanceOf, logicalName } from "../profile/object-name.ts";
import { scaledValue } from "../session/scaler-table.ts";

const parameters = object({});
type None = FieldValue<typeof parameters>;

type ControlState = "connected" | "disconnected" | "readyForReconnection";

interface Switching {
  readonly name: string;
  readonly kind: "disconnect" | "reconnect";
  readonly words: string;
  readonly method: "remoteDisconnect" | "remoteReconnect";
  /** States of the disconnector that are as wanted. */
  readonly wanted: readonly ControlState[];
}

/**
 * Disconnecting, reconnecting, and arming: reconnecting where the meter's mode leaves the last step to a hand on the spot, for
 * whoever must not come home to a stove that goes on by itself. Each looks, acts, and reads relay and power back in the same
 * session (MC-14).
 */
export const SUPPLY_OPERATIONS: readonly Operation<None>[] = [
  switching({
    name: "disconnect",
    kind: "disconnect",
    words: "disconnect the supply",
    method: "remoteDisconnect",
    wanted: ["disconnected", "readyForReconnection"],
  }),
  switching({
    name: "reconnect",
    kind: "reconnect",
    words: "reconnect the supply",
    method: "remoteReconnect",
    wanted: ["connected", "readyForReconnection"],
  }),
  switching({
    name: "arm",
    kind: "reconnect",
    words: "arm for reconnection by hand",
    method: "remoteReconnect",
    wanted: ["readyForReconnection"],
  }),
];

function switching({ name, kind, words, method, wanted }: Switching): Operation<None> {
  return {
    name,
    parameters,
    example: {},
    words: () => words,
    command: (_, { disconnectControl }) => ({ kind, instance: instanceOf(disconnectControl) }),
    async preview(on) {
      const { state, fact } = await look(on, wanted);
      const changes = !wanted.includes(state);
      const sentence = changes
        ? `The disconnector is ${state}; to be changed.`
        : `The disconnector is ${state} already.`;
      return { changes, sentence, readBack: [fact], findings: [] };
    },
    async run(on) {
      const before = await look(on, wanted);
      if (wanted.includes(before.state)) return ended("unchanged", `It was ${before.state} already.`, before);
      await remote(on.session, DisconnectControl, logicalName(on.profile.disconnectControl)).call(method);
      const after = await look(on, wanted, before.state);
      return wanted.includes(after.state)
        ? ended("done", `It was ${before.state} and is ${after.state}.`, after)
        : ended("not-taken", `It was to ${words}, and reads back ${after.state}.`, after);
    },
  };
}

/** What was read of relay and power: `data` of the result of every operation on supply. */
export interface SupplyRead {
  readonly supply: "connected" | "disconnected";
  readonly powerW?: number;
}

interface Looked {
  readonly state: ControlState;
  readonly fact: ReadBack;
  readonly read: SupplyRead;
}

function ended(outcome: OperationResult["outcome"], sentence: string, { fact, read }: Looked): OperationResult {
  return { outcome, sentence, readBack: [fact], findings: [], data: read };
}

/** The disconnector's relay and state, in one exchange. */
async function look(on: OperationSession, wanted: readonly ControlState[], before?: string): Promise<Looked> {
  const instance = logicalName(on.profile.disconnectControl);
  const control = remote(on.session, DisconnectControl, instance);
  const power = on.profile.registers.includes(POWER) ? await powerOf(on) : undefined;
  on.begin();
  const output = await control.get("outputState");
  const state = (await control.get("controlState")) as ControlState;
  const supply = output ? "connected" : "disconnected";
  // A relay that is shut while the state says open is no disconnection.
  const agrees = (state === "connected") === output;
  return {
    state: agrees ? state : output ? "connected" : "disconnected",
    fact: {
      name: "disconnector",
      object: `${instance}/3`,
      ...(before === undefined ? {} : { before }),
      wanted: wanted.join(" or "),
      found: agrees ? state : `${state} with the relay ${supply}`,
      holds: agrees && wanted.includes(state),
      evidence: on.evidence(),
    },
    read: { supply, ...(power === undefined ? {} : { powerW: power }) },
  };
}

const POWER = "1-0:1.7.0";

/** What it draws, in watts. */
async function powerOf({ session }: OperationSession): Promise<number | undefined> {
  const register = remote(session, Register, logicalName(POWER));
  const [{ value }, { scaler }] = [await register.get("value"), await register.get("scalerUnit")];
  return typeof value === "number" ? scaledValue(value, { scaler, unit: "W" }) : undefined;
}
