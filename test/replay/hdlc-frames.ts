import {
  concatBytes,
  encodeHdlc,
  fromHex,
  type HdlcControl,
  type HdlcFrame,
  HdlcFrameStream,
  readHdlcControl,
} from "@meterkeep/dlms";

/** One frame of a recorded HDLC line. */
export interface RecordedFrame {
  readonly direction: "sent" | "received";
  readonly frame: HdlcFrame;
  readonly control: HdlcControl;
  /** With both flags. */
  readonly octets: Uint8Array;
  /** Place among the recorded messages. */
  readonly message: number;
}

/** Octets that one side of a recording sent. */
export interface RecordedOctets {
  readonly direction: "sent" | "received";
  readonly octets: Uint8Array;
  readonly message: number;
}

const FLAG = 0x7e;
/** The LLC header before an APDU. */
const LLC_BYTES = 3;

/** Whether the recording is one of an HDLC line. */
export function isHdlc(messages: readonly RecordedOctets[]): boolean {
  return messages[0]?.octets[0] === FLAG;
}

/** Cuts what both sides sent into frames, however the recorder cut it; what fails its checks is left out. */
export function hdlcFrames(messages: readonly RecordedOctets[]): RecordedFrame[] {
  const streams = { sent: new HdlcFrameStream(), received: new HdlcFrameStream() };
  return messages.flatMap(({ direction, octets, message }) =>
    streams[direction].push(octets).flatMap((frame) => {
      const control = readHdlcControl(frame.control);
      if (control === undefined) return [];
      const { information, segmented } = frame;
      const whole = encodeHdlc({
        destination: fromHex(frame.destination),
        source: fromHex(frame.source),
        control: frame.control,
        segmented,
        ...(information.length === 0 ? {} : { information }),
      });
      return [{ direction, frame, control, octets: whole, message }];
    }),
  );
}

/** The APDU that begins with the frame at `at` and goes on in later ones of the same direction. */
export function apduFrom(frames: readonly RecordedFrame[], at: number): Uint8Array {
  const { direction } = frames[at] as RecordedFrame;
  const parts: Uint8Array[] = [];
  let next: number | undefined;
  for (const { frame, control, ...one } of frames.slice(at)) {
    if (one.direction !== direction || control.kind !== "I") continue;
    // A frame that was repeated counts once.
    if (next !== undefined && control.sendNumber !== next) continue;
    next = (control.sendNumber + 1) & 7;
    parts.push(frame.information);
    if (!frame.segmented) break;
  }
  return concatBytes(...parts).subarray(LLC_BYTES);
}

/** Every APDU on the line, in the order in which they begin. */
export function hdlcApdus(frames: readonly RecordedFrame[]): RecordedOctets[] {
  const isOpen = { sent: false, received: false };
  const expected: { sent: number | undefined; received: number | undefined } = { sent: undefined, received: undefined };
  return frames.flatMap(({ direction, frame, control, message }, at) => {
    if (control.kind === "UI") return [{ direction, octets: frame.information.slice(LLC_BYTES), message }];
    if (control.kind === "SNRM") expected.sent = expected.received = undefined;
    if (control.kind !== "I") return [];
    if (expected[direction] !== undefined && control.sendNumber !== expected[direction]) return [];
    expected[direction] = (control.sendNumber + 1) & 7;
    const begins = !isOpen[direction];
    isOpen[direction] = frame.segmented;
    return begins ? [{ direction, octets: apduFrom(frames, at), message }] : [];
  });
}
