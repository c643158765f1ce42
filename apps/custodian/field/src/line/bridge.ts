import { Turn } from "@meterkeep/dlms";
import { FieldError } from "../field-error.ts";
import type { ByteLine } from "./byte-line.ts";

interface BridgeFacts {
  readonly line: string;
  readonly address: string;
  readonly link: ByteLine["link"];
  readonly optical: boolean;
}

/**
 * A line through `meterkeep field bridge` on this device: a stream of octets from the meter, and a request for each piece to
 * it, one after the other. What passes is sealed by this page; the bridge holds no key.
 *
 * @throws FieldError
 */
export async function openBridge(port: number): Promise<ByteLine> {
  const base = `http://127.0.0.1:${port}`;
  const post = async (
    path: string,
    type: string,
    body: NonNullable<RequestInit["body"]>,
    signal?: AbortSignal,
  ): Promise<Response> => {
    const asking = { method: "POST", headers: { "content-type": type }, body, ...(signal && { signal }) };
    const answer = await fetch(`${base}${path}`, asking).catch((cause: unknown) => {
      throw new FieldError(`No bridge answers on port ${port}: start \`meterkeep field bridge\`.`, { cause });
    });
    if (answer.ok) return answer;
    const { message = answer.statusText } = (await answer.json().catch(() => ({}))) as { readonly message?: string };
    throw new FieldError(`The bridge says: ${message}`);
  };
  const ending = new AbortController();
  const opened = await post("/lines", "application/json", "{}", ending.signal);
  const { line, address, link, optical } = JSON.parse(opened.headers.get("x-meterkeep-line") ?? "{}") as BridgeFacts;
  const reader = opened.body?.getReader();
  if (reader === undefined) throw new FieldError("The bridge gives no octets.");
  let [onOctets, onGone]: Parameters<ByteLine["listen"]> = [() => {}, () => {}];
  let isReading = false;
  const read = async (): Promise<void> => {
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        onOctets(value);
      }
      onGone("the meter or the bridge has closed it");
    } catch (error) {
      onGone(error instanceof Error ? error.message : String(error));
    }
  };
  const turn = new Turn();
  const inTurn = async (work: () => Promise<unknown>): Promise<void> => {
    await turn.run(work);
  };
  return {
    address,
    link,
    isOptical: optical,
    // An optical port is opened by one machine and used by the next: what comes is for whoever listens last.
    listen: (octets, gone) => {
      [onOctets, onGone] = [octets, gone];
      if (!isReading) void read();
      isReading = true;
    },
    write: (octets) => inTurn(() => post(`/lines/${line}`, "application/octet-stream", Uint8Array.from(octets))),
    set: (settings) => inTurn(() => post(`/lines/${line}/settings`, "application/json", JSON.stringify(settings))),
    close: async () => {
      ending.abort();
      const pass = await turn.take();
      pass();
    },
  };
}
