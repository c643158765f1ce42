import { createHash } from "node:crypto";
import { Agent, type RequestOptions, request } from "node:https";
import { CHANNEL_GROUP } from "@meterkeep/api/custodian-channel";
import { fromHex, systemTitleText } from "@meterkeep/dlms";
import type { TlsIdentity } from "@meterkeep/dlms-node";
import { HeadEndError, type PolicyKey, type ShelfFiles } from "@meterkeep/headend";
import type { ExchangeFiles } from "../exchange-files.ts";
import type { DeskSettings } from "./desk.ts";
import { GATE_NAME, GATE_STREAMS } from "./streams.ts";

/** What a worker on another machine has in the place of the head-end's files. */
export interface DeskClient extends Disposable {
  settings(): Promise<DeskSettings>;
  /** The policy service, whose key stays behind the gate. */
  policy(publicKey: string): PolicyKey;
  readonly exchange: Pick<ExchangeFiles, "text" | "stamp">;
  readonly shelf: ShelfFiles;
}

const PATIENCE_MILLISECONDS = 10_000;
const MOST_OCTETS = 256 * 1024 * 1024;

interface Answered {
  readonly status: number;
  readonly etag: string | undefined;
  readonly octets: Buffer;
}

/** Asks at the desk of a gate. Whatever it does not give is a `gate-refused`. */
export function deskClient(gate: { readonly host: string; readonly port: number }, identity: TlsIdentity): DeskClient {
  const agent = new Agent({
    keepAlive: true,
    // Each connection proves both ends anew.
    maxCachedSessions: 0,
    maxSockets: 2,
    key: identity.privateKey,
    cert: identity.certificate,
    ca: identity.authorities,
    minVersion: "TLSv1.3",
    ecdhCurve: CHANNEL_GROUP,
    ALPNProtocols: [GATE_STREAMS.desk],
    checkServerIdentity: (_, { subject }) =>
      subject.CN === GATE_NAME ? undefined : new Error(`its certificate is that of ${subject.CN}, not of the gate`),
  });
  const ask = (path: string, options: RequestOptions = {}, body?: string): Promise<Answered> =>
    new Promise((resolve, reject) => {
      const refuse = (why: string, cause?: unknown): void =>
        reject(new HeadEndError("gate-refused", `the gate at ${gate.host}:${gate.port}: ${why}`, { cause }));
      const asked = request({ ...gate, ...options, path, agent }, (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on("data", (chunk: Buffer) => {
          length += chunk.length;
          if (length > MOST_OCTETS) asked.destroy(new Error("its answer is too long"));
          else chunks.push(chunk);
        });
        response.on("error", (error) => refuse(error.message, error));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            etag: response.headers.etag,
            octets: Buffer.concat(chunks),
          }),
        );
      });
      asked.setTimeout(PATIENCE_MILLISECONDS, () => asked.destroy(new Error("no answer")));
      asked.on("error", (error) => refuse(error.message, error));
      asked.end(body);
    });
  const get = async (path: string): Promise<Buffer> => {
    const { status, octets } = await ask(path);
    if (status === 200) return octets;
    throw new HeadEndError("gate-refused", `the gate at ${gate.host}:${gate.port} answers ${status} to ${path}`);
  };
  return {
    settings: async () => JSON.parse((await get("/settings")).toString("utf8")) as DeskSettings,
    policy: (publicKey) => ({
      publicKey,
      token: async (manifest, meter, act) => {
        const asked = JSON.stringify({ manifest, meter: systemTitleText(meter), act });
        const { status, octets } = await ask("/token", { method: "POST" }, asked);
        if (status !== 200) throw new HeadEndError("gate-refused", `the gate signs no token for manifest ${manifest}`);
        return fromHex(octets.toString("utf8"));
      },
    }),
    exchange: {
      stamp: async (name) => {
        const { status, etag, octets } = await ask(`/exchange/${name}`, { method: "HEAD" });
        return status === 200 ? (etag ?? createHash("sha256").update(octets).digest("hex")) : "absent";
      },
      text: async (name) => {
        const { status, octets } = await ask(`/exchange/${name}`);
        return status === 200 ? octets.toString("utf8") : undefined;
      },
    },
    shelf: {
      read: (name) => get(`/firmware/${name}`),
      makers: async () => JSON.parse((await get("/firmware")).toString("utf8")) as string[],
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}
