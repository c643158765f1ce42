import { setTimeout as sleep } from "node:timers/promises";
import type { DrillItem } from "@meterkeep/api";
import { CustodianCallError } from "@meterkeep/api/custodian";
import type { CustodianClient } from "@meterkeep/api/custodian-channel";
import { apdu, encode, fromHex, systemTitle, toHex } from "@meterkeep/dlms";
import { connectWrapper, TransportError, type WrapperConnection } from "@meterkeep/dlms-node";
import type { DrillTarget } from "./targets.ts";

/** What the drill process writes, a JSON object a line. */
export type DrillOutput =
  | { readonly type: "begin"; readonly principal: string; readonly homes: number }
  | { readonly type: "item"; readonly item: DrillItem }
  | { readonly type: "asked" };

/** ACTION remote_disconnect (method 1) of disconnect control (class 70), with the parameter that the Blue Book wants. */
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
const DISCONNECT_HEX = toHex(DISCONNECT).toUpperCase();
const ASK = "Switch the supply off";

const CONCURRENCY = 12;
/**
 * A meter takes one connection at a time, and the head-end may be reading it just now; one that failed on the depot's
 * bench comes to the field half a simulated hour later.
 */
const PATIENCE_MILLISECONDS = 45_000;
const AGAIN_MILLISECONDS = 150;

/**
 * Does what a thief of the head-end's credentials would do: asks for every home to be switched off, sends whatever comes
 * out sealed, and asks for a key. Everything here is real: the channel, the associations with the meters, the APDUs.
 */
export async function breakIn(
  custodian: CustodianClient,
  homes: readonly DrillTarget[],
  write: (output: DrillOutput) => void,
): Promise<void> {
  write({ type: "begin", principal: "head-end", homes: homes.length });
  const waiting = [...homes];
  const lane = async (): Promise<void> => {
    for (let home = waiting.shift(); home !== undefined; home = waiting.shift())
      write({ type: "item", item: await switchOff(custodian, home) });
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  write({ type: "item", item: await takeKey(custodian) });
  write({ type: "asked" });
}

async function switchOff(custodian: CustodianClient, home: DrillTarget): Promise<DrillItem> {
  const deadline = Date.now() + PATIENCE_MILLISECONDS;
  for (;;)
    try {
      return await askOnce(custodian, home);
    } catch (error) {
      if (isBusy(error) && Date.now() < deadline) await sleep(AGAIN_MILLISECONDS * (1 + Math.random()));
      else return { ...asked(home), ...failure(error) };
    }
}

async function askOnce(custodian: CustodianClient, home: DrillTarget): Promise<DrillItem> {
  const meter = systemTitle(fromHex(home.meter));
  const opened = await custodian.openSession({ meter, purpose: "configure" });
  const { session, clientSap, serverSap } = opened;
  try {
    await using line = await connectWrapper({ host: home.host, port: home.port, clientSap, serverSap });
    await associate(custodian, session, opened.apdu, line);
    const [result] = await custodian.seal({ session, items: [{ apdu: DISCONNECT, token: undefined }] });
    if (result === undefined) throw new Error("the custodian gave no answer");
    if (result.kind === "refused")
      return { ...asked(home), outcome: "refused", code: result.code, message: result.message };
    // It was sealed: a thief would send it, and so does this.
    await line.exchange(result.apdu, AbortSignal.timeout(PATIENCE_MILLISECONDS));
    return { ...asked(home), outcome: "sealed", message: "The custodian sealed it, and it was sent to the meter." };
  } finally {
    // A session whose association failed is closed already; that must not hide why.
    await custodian.closeSession({ session, outcome: "completed" }).catch(() => undefined);
  }
}

/** Carries the association's octets until it stands. */
async function associate(
  custodian: CustodianClient,
  session: string,
  aarq: Uint8Array,
  line: WrapperConnection,
): Promise<void> {
  for (let send = aarq; ; ) {
    const received = await line.exchange(send, AbortSignal.timeout(PATIENCE_MILLISECONDS));
    const answer = await custodian.advanceSession({ session, received });
    if (answer.kind === "established") return;
    if (answer.kind === "failed") throw new AssociationFailed(`${answer.code}: ${answer.message}`);
    send = answer.apdu;
  }
}

async function takeKey(custodian: CustodianClient): Promise<DrillItem> {
  const ask = "Hand over a master key";
  try {
    const octets = await custodian.askByName("exportKey");
    return { ask, outcome: "sealed", message: `The custodian answered with ${octets.length} octets.` };
  } catch (error) {
    return { ask, ...failure(error) };
  }
}

function asked(home: DrillTarget): Pick<DrillItem, "meter" | "ask" | "apdu"> {
  return { meter: home.meter, ask: ASK, apdu: DISCONNECT_HEX };
}

/** What the custodian said no to was refused; what never came to be asked has failed. */
function failure(error: unknown): Pick<DrillItem, "outcome" | "code" | "message"> {
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown } | null)?.code;
  const outcome = error instanceof CustodianCallError && !UNASKED.has(error.code) ? "refused" : "failed";
  return { outcome, message, ...(typeof code === "string" ? { code } : {}) };
}

const UNASKED: ReadonlySet<string> = new Set([
  "custodian-unreachable",
  "custodian-not-recognised",
  "channel-closed",
  "channel-malformed",
  "meter-busy",
]);

/** The head-end spoke with the meter in between, with higher counters: another try has the highest. */
class AssociationFailed extends Error {
  readonly code = "association-failed";
}

function isBusy(error: unknown): boolean {
  if (error instanceof TransportError || error instanceof AssociationFailed) return true;
  return error instanceof CustodianCallError && (error.code === "meter-busy" || error.code === "too-many-open");
}
