import { openPush, systemTitle } from "@meterkeep/dlms";
import { nodeCiphers } from "@meterkeep/dlms-node";
import { replayClient, type SideOutcome } from "./client.ts";
import { type LinkOutcome, replayLink } from "./link.ts";
import { type OpenedRecording, openRecording, secretKey } from "./opened.ts";
import { parseRecording, RecordingError } from "./recording.ts";
import { replayServer } from "./server.ts";
import { compareValues } from "./values.ts";

/** What a replay of one file came to. */
export interface Replayed {
  readonly name: string;
  readonly ok: boolean;
  /** APDUs deciphered to the octets that the recorder found. */
  readonly deciphered: number;
  readonly client: SideOutcome;
  readonly server: SideOutcome;
  readonly link: LinkOutcome;
  readonly values: { readonly same: number; readonly otherwise: number };
  readonly pushes: number;
  /** Whatever is not as recorded though it should be. */
  readonly complaints: readonly string[];
}

const WRAPPER_HEADER_BYTES = 8;
const NO_LINK: LinkOutcome = { exact: 0, undetermined: [], complaints: [] };
const NOTHING: SideOutcome = { exact: 0, undetermined: [], understood: 0, refused: 0, complaints: [] };

/** Replays one recording from both sides. Never throws: what goes wrong is in the complaints. */
export async function replay(text: string, name: string): Promise<Replayed> {
  try {
    return await replayOpened(openRecording(parseRecording(text, name)));
  } catch (error) {
    return unreadable(
      name,
      error instanceof RecordingError ? error.message : `it cannot be replayed: ${String(error)}`,
    );
  }
}

/** What comes of a file in which there is nothing to replay. */
export function unreadable(name: string, why: string): Replayed {
  return {
    name,
    ok: false,
    deciphered: 0,
    client: NOTHING,
    server: NOTHING,
    link: NO_LINK,
    values: { same: 0, otherwise: 0 },
    pushes: 0,
    complaints: [why],
  };
}

async function replayOpened(opened: OpenedRecording): Promise<Replayed> {
  const client = await side("client", () => replayClient(opened));
  const server = await side("server", async () => replayServer(opened));
  const link = await side("link", async () => ({ ...NOTHING, ...replayLink(opened.recording) }));
  const values = await side("values", async () => ({ ...NOTHING, ...compareValues(opened) }));
  const pushes = opened.recording.pushes.map((frame) => pushComplaint(opened, frame));
  const complaints = [
    ...opened.complaints,
    ...client.complaints,
    ...server.complaints,
    ...link.complaints,
    ...values.complaints,
    ...pushes.filter((complaint) => complaint !== undefined),
  ];
  return {
    name: opened.recording.name,
    ok: complaints.length === 0,
    deciphered: opened.deciphered,
    client,
    server,
    link,
    values: { same: values.same ?? 0, otherwise: values.otherwise ?? 0 },
    pushes: pushes.length,
    complaints,
  };
}

/** What a side does not survive is a complaint as well. */
async function side<T extends SideOutcome>(
  name: string,
  run: () => Promise<T>,
): Promise<T & { same?: number; otherwise?: number }> {
  try {
    return await run();
  } catch (error) {
    return {
      ...NOTHING,
      complaints: [`${name}: ${error instanceof Error ? error.message : String(error)}`],
    } as unknown as T;
  }
}

function pushComplaint({ recording, serverTitle }: OpenedRecording, frame: Uint8Array): string | undefined {
  const { encryptionKey, authenticationKey } = recording;
  if (encryptionKey === undefined || authenticationKey === undefined) return undefined;
  try {
    const keys = { encryption: secretKey(encryptionKey), authentication: authenticationKey };
    const keysOf = (title: Uint8Array) =>
      serverTitle === undefined || systemTitle(title).every((octet, at) => octet === serverTitle[at])
        ? keys
        : undefined;
    const { authenticated } = openPush(frame.subarray(WRAPPER_HEADER_BYTES), { ciphers: nodeCiphers, keysOf });
    return authenticated ? undefined : "a push is not authentic";
  } catch (error) {
    return `a push cannot be opened: ${(error as Error).message}`;
  }
}

/** One line for one file. */
export function lineOf({ name, ok, deciphered, client, server, link, values, complaints }: Replayed): string {
  const text = [
    `client ${sideText(client)}`,
    `server ${sideText(server)}`,
    ...(link.exact + link.undetermined.length === 0 ? [] : [`frames ${sideText(link)}`]),
    `${deciphered} deciphered`,
    `values ${values.same}+${values.otherwise}`,
    `refusals ${client.refused}/${server.refused}`,
  ].join(", ");
  if (client.exact + server.exact + client.undetermined.length + server.undetermined.length === 0 && !ok)
    return `FAIL ${name}: ${complaints.slice(0, 3).join("; ")}`;
  return `${ok ? "ok  " : "FAIL"} ${name}: ${ok ? text : `${text}: ${complaints.slice(0, 3).join("; ")}`}`;
}

function sideText({ exact, undetermined }: LinkOutcome): string {
  return undetermined.length === 0 ? `${exact} exact` : `${exact} exact, ${undetermined.length} undetermined`;
}
