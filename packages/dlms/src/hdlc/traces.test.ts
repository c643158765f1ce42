import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes, fromHex, toHex } from "../bytes.ts";
import type { HdlcFrame } from "../link/hdlc.ts";
import { sharedFiles } from "../shared-folder.test.ts";
import { readClientAddress, readServerAddress } from "./address.ts";
import { HdlcClient } from "./client.ts";
import type { HdlcClientAction } from "./client-events.ts";
import { type HdlcControl, readControl } from "./control.ts";
import { HdlcFrameStream } from "./frame-stream.ts";
import { decodeParameters } from "./parameters.ts";
import { LLC_BYTES, type SegmentLimits } from "./segments.ts";
import { HdlcServer } from "./server.ts";
import type { HdlcServerAction } from "./server-events.ts";

interface Message {
  readonly dir: "c>s" | "s>c";
  readonly hex: string;
}

interface Recorded extends Message {
  readonly frame: HdlcFrame;
  readonly control: HdlcControl;
}

function recorded(messages: readonly Message[]): Recorded[] {
  return messages.map((message) => {
    const [frame, ...more] = new HdlcFrameStream().push(fromHex(message.hex));
    assert.ok(frame !== undefined && more.length === 0, message.hex);
    const control = readControl(frame.control);
    assert.ok(control !== undefined, message.hex);
    return { ...message, frame, control };
  });
}

/** The APDU that begins with the message at `at` and goes on in later ones of the same direction. */
function apduAt(messages: readonly Recorded[], at: number): Uint8Array {
  const { dir } = messages[at]!;
  const parts: Uint8Array[] = [];
  for (const { frame, control, ...message } of messages.slice(at)) {
    if (message.dir !== dir || control.kind !== "I") continue;
    parts.push(frame.information);
    if (!frame.segmented) break;
  }
  return concatBytes(...parts).subarray(LLC_BYTES);
}

/** How long the recorded station made its frames: that is its own choice, below what was agreed. */
function segmentsOf(messages: readonly Recorded[], dir: Message["dir"]): SegmentLimits {
  const cut = messages.filter((message) => message.dir === dir && message.frame.segmented);
  const isFirst = ({ frame }: Recorded) => frame.information[0] === 0xe6 && frame.information[2] === 0;
  const first = cut.find(isFirst)?.frame.information.length;
  const further = cut.find((message) => !isFirst(message))?.frame.information.length;
  return {
    ...(first === undefined ? {} : { firstBytes: first }),
    ...(further === undefined ? {} : { furtherBytes: further }),
  };
}

const files = sharedFiles("traces")?.filter(({ name }) => name.includes("hdlc"));
const skip = files === undefined ? "the recorded exchanges are not here" : false;
const traces = (files ?? []).map(({ name, read }) => {
  const { messages } = read() as { readonly messages: readonly Message[] };
  return { name, messages: recorded(messages) };
});

/** jDLMS servers never count what they receive, and answer with the LLC header of a command. */
const isJdlmsServer = (name: string) => name.startsWith("jd-");

test("our client says every recorded HDLC exchange again, octet for octet", { skip }, () => {
  let frames = 0;
  for (const { name, messages } of traces) {
    const [snrm] = messages as [Recorded];
    const quirks = {
      ...(isJdlmsServer(name) ? { answersWithCommandLlc: true, neverAcknowledges: true } : {}),
      segments: segmentsOf(messages, "c>s"),
    };
    const client = new HdlcClient({
      clientAddress: readClientAddress(snrm.frame.source)!,
      server: readServerAddress(snrm.frame.destination),
      parameters: decodeParameters(snrm.frame.information),
      quirks,
    });
    let said = sentBy(client.step({ kind: "connect" }, 0));
    for (const [at, { dir, hex, control, frame }] of messages.entries()) {
      if (dir === "c>s") {
        if (said.length === 0 && control.kind === "I")
          said = sentBy(client.step({ kind: "send", apdu: apduAt(messages, at) }, at));
        if (said.length === 0 && control.kind === "DISC") said = sentBy(client.step({ kind: "disconnect" }, at));
        // A jDLMS client whose line broke asks, with numbers of its own, whether anybody is there.
        if (said.length === 0 && control.kind === "RR" && isJdlmsServer(name)) break;
        assert.equal(said.shift(), hex, `${name} message ${at}`);
        frames += 1;
        continue;
      }
      const actions = client.step({ kind: "octets", octets: fromHex(hex) }, at);
      said.push(...sentBy(actions));
      const failed = actions.find((action) => action.kind === "failed");
      if (control.kind === "FRMR") {
        // Gurux C loses count in a long SET; its client goes on as if nothing had happened, and gets FRMR only.
        assert.equal(failed?.kind === "failed" && failed.error.code, "line-rejected", name);
        break;
      }
      assert.equal(failed, undefined, `${name} message ${at}: ${JSON.stringify(failed)}`);
      const apdu = actions.find((action) => action.kind === "apdu");
      if (control.kind === "I" && !frame.segmented) assert.ok(apdu !== undefined, `${name} message ${at}`);
    }
    // Some recordings end before the client had its say.
    if (messages.at(-1)?.dir === "c>s") assert.deepEqual(said, [], name);
  }
  assert.ok(frames > 370, `${frames} frames`);
});

test("our server answers every recorded HDLC exchange as the recorded one did, octet for octet", { skip }, () => {
  let frames = 0;
  for (const { name, messages } of traces) {
    if (isJdlmsServer(name)) continue;
    const ua = messages.find(({ control }) => control.kind === "UA")!;
    const server = new HdlcServer({
      logicalDevices: [readServerAddress(ua.frame.source).logicalDevice],
      parameters: decodeParameters(ua.frame.information),
      segments: segmentsOf(messages, "s>c"),
    });
    const said: string[] = [];
    for (const [at, { dir, hex, control, frame }] of messages.entries()) {
      if (dir === "c>s") {
        const actions = server.step({ kind: "octets", octets: fromHex(hex) }, at);
        said.push(...sentBy(actions));
        for (const action of actions)
          if (action.kind === "apdu") {
            const next = messages.findIndex(
              (other, index) => index > at && other.dir === "s>c" && other.control.kind === "I",
            );
            if (next < 0) continue;
            const apdus = [apduAt(messages, next)];
            said.push(...sentBy(server.step({ kind: "respond", peer: action.peer, apdus }, at)));
          }
        continue;
      }
      // The recording of one client that hung ends within an APDU.
      if (control.kind === "FRMR" || (frame.segmented && at === messages.length - 1)) break;
      const answer = said.shift();
      frames += 1;
      // The answer to DISC may repeat the parameters, and need not.
      if (control.kind === "UA" && at > 1)
        assert.equal(readControl(recorded([{ dir, hex: answer ?? "" }])[0]!.frame.control)?.kind, "UA", name);
      else assert.equal(answer, hex, `${name} message ${at}`);
    }
  }
  assert.ok(frames > 350, `${frames} frames`);
});

function sentBy(actions: readonly (HdlcClientAction | HdlcServerAction)[]): string[] {
  return actions.flatMap((action) => (action.kind === "transmit" ? [toHex(action.octets)] : []));
}
