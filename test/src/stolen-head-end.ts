import { readFileSync } from "node:fs";
import { custodianClient } from "@meterkeep/api/custodian-channel";
import { apdu, encode, fromHex, systemTitle } from "@meterkeep/dlms";
import { connectWrapper, TransportError } from "@meterkeep/dlms-node";
import type { Thresholds } from "@meterkeep/guard";
import { openPolicyKey } from "@meterkeep/headend";
import { serverConfigOf } from "./installation-files.ts";
import type { MeterTruth } from "./town-control.ts";
import { until } from "./until.ts";

/** ACTION remote_disconnect (method 1) of disconnect control (class 70). */
const DISCONNECT = encode(apdu, {
  kind: "action-request",
  value: {
    kind: "normal",
    value: {
      invokeIdAndPriority: { invokeId: 1, confirmed: true, highPriority: true },
      method: { classId: 70, instanceId: fromHex("0000 60030A FF"), methodId: 1 },
      parameters: { type: "integer", value: 0 },
    },
  },
});

/** Which of the acts of a manifest that disconnects: the only one. */
const FIRST_ACT = 0;

/** What no policy service has signed. */
const FORGED_TOKEN = new Uint8Array(64).fill(0x5a);

/** Somebody who has the head-end's credentials, and an association with one home. */
export interface Thief extends AsyncDisposable {
  /**
   * Asks for the home to be switched off: by a token of their own, or by one of the policy service's key, which is on the same
   * disk, for a manifest. What is sealed goes to the meter. @returns the custodian's word for no, or `sealed`
   */
  ask(manifest?: string): Promise<string>;
  /** Has the home begun to be read by the same credentials, as the head-end does at any moment: that takes a counter of it. */
  beginReading(): Promise<void>;
}

/** What holds at the custodian, as the head-end is told. */
export async function thresholdsOf(stateDirectory: string): Promise<Thresholds> {
  const custodian = clientOf(stateDirectory);
  try {
    return JSON.parse((await custodian.authorityState({})).thresholds) as Thresholds;
  } finally {
    await custodian.close();
  }
}

function clientOf(stateDirectory: string): ReturnType<typeof custodianClient> {
  const { channel } = serverConfigOf(stateDirectory);
  return custodianClient({
    socketPath: channel.socketPath,
    certificate: channel.certificate,
    privateKey: readFileSync(channel.keyFile, "utf8"),
    custodianCertificate: channel.custodianCertificate,
  });
}

/** Opens a session with a home as whoever has stolen the head-end's key file would: past the head-end, at the custodian itself. */
export async function stolenHeadEnd(
  stateDirectory: string,
  { systemTitle: title, port }: Pick<MeterTruth, "systemTitle" | "port">,
): Promise<Thief> {
  const { stateDirectory: own } = serverConfigOf(stateDirectory);
  const custodian = clientOf(stateDirectory);
  const associated = async () => {
    const opened = await custodian.openSession({ meter: systemTitle(fromHex(title)), purpose: "configure" });
    const { session, clientSap, serverSap } = opened;
    const line = await connectWrapper({ host: "127.0.0.1", port, clientSap, serverSap });
    for (let send = opened.apdu; ; ) {
      const received = await line.exchange(send, AbortSignal.timeout(60_000));
      const answer = await custodian.advanceSession({ session, received });
      if (answer.kind === "established") return { session, line };
      if (answer.kind === "failed") {
        await line[Symbol.asyncDispose]();
        return undefined;
      }
      send = answer.apdu;
    }
  };
  // The head-end itself may be speaking with the meter.
  const soon = () =>
    until("the thief is associated with the home", async () => {
      try {
        return await associated();
      } catch (error) {
        if (error instanceof TransportError || (error as { code?: string }).code === "meter-busy") return undefined;
        throw error;
      }
    });
  let at = await soon();
  const leave = async (): Promise<void> => {
    await custodian.closeSession({ session: at.session, outcome: "completed" }).catch(() => undefined);
    await at.line[Symbol.asyncDispose]();
  };
  const sealed = async (token: Uint8Array) => {
    const [result] = await custodian.seal({ session: at.session, items: [{ apdu: DISCONNECT, token }] });
    if (result?.kind === "sealed") await at.line.exchange(result.apdu, AbortSignal.timeout(60_000));
    return result?.kind === "refused" ? result.code : (result?.kind ?? "nothing");
  };
  return {
    async ask(manifest) {
      const token =
        manifest === undefined
          ? FORGED_TOKEN
          : await openPolicyKey(readFileSync(`${own}/policy.key`, "utf8")).token(
              manifest,
              systemTitle(fromHex(title)),
              FIRST_ACT,
              Date.now(),
            );
      // Once the head-end has begun to read the home, in this session nothing critical is ever sealed again, nor judged.
      return await until("nobody else disturbs the thief", async () => {
        const word = await sealed(token);
        if (word !== "request-out-of-turn") return word;
        await leave();
        at = await soon();
        return undefined;
      });
    },
    async beginReading() {
      const { session } = await custodian.openSession({ meter: systemTitle(fromHex(title)), purpose: "read" });
      await custodian.closeSession({ session, outcome: "abandoned" });
    },
    async [Symbol.asyncDispose]() {
      await leave();
      await custodian.close();
    },
  };
}
