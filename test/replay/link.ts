import {
  decodeHdlcParameters,
  equalBytes,
  HdlcClient,
  type HdlcClientAction,
  HdlcServer,
  type HdlcServerAction,
  readClientAddress,
  readServerAddress,
  type SegmentLimits,
  toHex,
} from "@meterkeep/dlms";
import { apduFrom, hdlcFrames, isHdlc, type RecordedFrame } from "./hdlc-frames.ts";
import type { Recording } from "./recording.ts";

/** What became of the frames of a recorded line. */
export interface LinkOutcome {
  /** Frames of our client and our server that are the recorded ones to the octet. */
  readonly exact: number;
  /** Frames that the recording does not determine, each with the reason. */
  readonly undetermined: readonly string[];
  readonly complaints: readonly string[];
}

const NOTHING: LinkOutcome = { exact: 0, undetermined: [], complaints: [] };

/** Says the frames of a recorded HDLC line again with our link layer; other links have nothing that could differ. */
export function replayLink({ messages }: Recording): LinkOutcome {
  if (!isHdlc(messages)) return NOTHING;
  const frames = hdlcFrames(messages);
  const snrm = frames.find(({ control }) => control.kind === "SNRM");
  const ua = frames.find(({ control }) => control.kind === "UA");
  if (snrm === undefined || ua === undefined) return { ...NOTHING, undetermined: ["a line that is not set up"] };
  const client = replayClientFrames(frames, snrm);
  const server = answersAsCommand(frames)
    ? { ...NOTHING, undetermined: ["a server that never counts and answers like a client"] }
    : replayServerFrames(frames, ua);
  return {
    exact: client.exact + server.exact,
    undetermined: [...client.undetermined, ...server.undetermined],
    complaints: [...client.complaints, ...server.complaints],
  };
}

/** jDLMS servers answer with the LLC header of a command, and never count what they receive. */
function answersAsCommand(frames: readonly RecordedFrame[]): boolean {
  const first = frames.find(({ direction, control }) => direction === "received" && control.kind === "I");
  return first?.frame.information[1] === 0xe6;
}

function replayClientFrames(frames: readonly RecordedFrame[], snrm: RecordedFrame): LinkOutcome {
  const isCommand = answersAsCommand(frames);
  const quirks = {
    ...(isCommand ? { answersWithCommandLlc: true, neverAcknowledges: true } : {}),
    segments: segmentsOf(frames, "sent"),
  };
  const clientAddress = readClientAddress(snrm.frame.source);
  if (clientAddress === undefined) return { ...NOTHING, undetermined: ["a client without an address"] };
  const client = new HdlcClient({
    clientAddress,
    server: readServerAddress(snrm.frame.destination),
    parameters: decodeHdlcParameters(snrm.frame.information),
    quirks,
  });
  const said = sentBy(client.step({ kind: "connect" }, 0));
  let exact = 0;
  for (const [at, { direction, octets, control, frame, message }] of frames.entries()) {
    if (direction === "received") {
      const actions = client.step({ kind: "octets", octets }, at);
      said.push(...sentBy(actions));
      const failed = actions.find((action) => action.kind === "failed");
      if (failed !== undefined) return { ...NOTHING, exact, undetermined: [`the line breaks: ${failed.error.code}`] };
      continue;
    }
    if (isRepeated(frames, at)) continue;
    if (said.length === 0 && control.kind === "I")
      said.push(...sentBy(client.step({ kind: "send", apdu: apduFrom(frames, at) }, at)));
    if (said.length === 0 && control.kind === "DISC") said.push(...sentBy(client.step({ kind: "disconnect" }, at)));
    // A client whose line broke asks, with numbers of its own, whether anybody is there.
    if (said.length === 0) return { ...NOTHING, exact, undetermined: ["the recorded client asks again"] };
    const ours = said.shift() as Uint8Array;
    if (!equalBytes(ours, octets) && frame.segmented && !isFinished(frames, at))
      return { ...NOTHING, exact, undetermined: ["the recording ends within an APDU"] };
    if (!equalBytes(ours, octets))
      return { ...NOTHING, exact, complaints: [otherFrame("client", message, ours, octets)] };
    exact += 1;
  }
  return { ...NOTHING, exact };
}

function replayServerFrames(frames: readonly RecordedFrame[], ua: RecordedFrame): LinkOutcome {
  const server = new HdlcServer({
    logicalDevices: [readServerAddress(ua.frame.source).logicalDevice],
    parameters: decodeHdlcParameters(ua.frame.information),
    segments: segmentsOf(frames, "received"),
  });
  const said: Uint8Array[] = [];
  const undetermined: string[] = [];
  let exact = 0;
  for (const [at, { direction, octets, control, frame, message }] of frames.entries()) {
    if (direction === "sent") {
      if (isRepeated(frames, at)) continue;
      const actions = server.step({ kind: "octets", octets }, at);
      said.push(...sentBy(actions));
      for (const action of actions) {
        if (action.kind !== "apdu") continue;
        const next = frames.findIndex(
          (other, index) => index > at && other.direction === "received" && other.control.kind === "I",
        );
        if (next < 0) continue;
        said.push(...sentBy(server.step({ kind: "respond", peer: action.peer, apdus: [apduFrom(frames, next)] }, at)));
      }
      continue;
    }
    if (control.kind === "FRMR") return { ...NOTHING, exact, undetermined: ["the recorded server loses count"] };
    const answer = said.shift();
    if (answer !== undefined && equalBytes(answer, octets)) {
      exact += 1;
      continue;
    }
    // The answer to DISC may repeat the parameters, and need not.
    if (control.kind === "UA" && at > 1) undetermined.push("another answer to DISC");
    else if (frame.segmented && !isFinished(frames, at)) {
      undetermined.push("the recording ends within an APDU");
      break;
    } else if (answer === undefined) {
      undetermined.push("the recorded server speaks unasked");
      break;
    } else return { exact, undetermined, complaints: [otherFrame("server", message, answer, octets)] };
  }
  return { exact, undetermined, complaints: [] };
}

/** Whether a frame says again what the one before it in the same direction said, which nobody answered. */
function isRepeated(frames: readonly RecordedFrame[], at: number): boolean {
  const [before, now] = [frames[at - 1], frames[at] as RecordedFrame];
  return before?.direction === now.direction && equalBytes(before.octets, now.octets);
}

function isFinished(frames: readonly RecordedFrame[], at: number): boolean {
  const { direction } = frames[at] as RecordedFrame;
  return frames
    .slice(at)
    .some(({ frame, control, ...one }) => one.direction === direction && control.kind === "I" && !frame.segmented);
}

/** How long the recorded station made its frames: that is its own choice, below what was agreed. */
function segmentsOf(frames: readonly RecordedFrame[], direction: RecordedFrame["direction"]): SegmentLimits {
  const cut = frames.filter((one) => one.direction === direction && one.frame.segmented);
  const isFirst = ({ frame }: RecordedFrame) => frame.information[0] === 0xe6 && frame.information[2] === 0;
  const first = cut.find(isFirst)?.frame.information.length;
  const further = cut.find((one) => !isFirst(one))?.frame.information.length;
  return {
    ...(first === undefined ? {} : { firstBytes: first }),
    ...(further === undefined ? {} : { furtherBytes: further }),
  };
}

function sentBy(actions: readonly (HdlcClientAction | HdlcServerAction)[]): Uint8Array[] {
  return actions.flatMap((action) => (action.kind === "transmit" ? [action.octets] : []));
}

function otherFrame(side: string, message: number, ours: Uint8Array, theirs: Uint8Array): string {
  return `${side} frame, message ${message}: ${toHex(ours).slice(0, 100)} where ${toHex(theirs).slice(0, 100)} was recorded`;
}
