import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isSignedBy, type LedgerKeys } from "../checkpoint/keys.ts";
import { parseLine, parseNote } from "../checkpoint/note.ts";
import { LedgerError } from "../errors.ts";
import type { Taken, Witness } from "./witness.ts";

/** How to reach a second instance, and by what it is known. */
export interface InstanceOptions {
  readonly name: string;
  /** `https://host:port`, or `unix:/path`. */
  readonly address: string;
  /** Its public keys: what it signs with others is not taken for its signature. */
  readonly keys: LedgerKeys;
  /** PEM; for HTTPS the one certificate, or authority, that is trusted. */
  readonly certificate?: string | undefined;
  /** 5 000 unless told. */
  readonly patienceMs?: number;
}

const MOST_OCTETS = 256 * 1024;

/** A witness that is another process, on another machine at best. */
export function instanceWitness(options: InstanceOptions): Witness {
  const { name, keys } = options;
  return {
    name,
    kind: "instance",
    last: async (log) => {
      const { note } = (await ask(options, "GET", `/checkpoint?log=${encodeURIComponent(log)}`)) as { note?: string };
      return note;
    },
    add: async (note, former, proof) => {
      const taken = (await ask(options, "POST", "/checkpoint", { note, former, proof: proof.map(base64) })) as Taken;
      if (taken.kind !== "taken") return taken;
      const { text } = parseNote(note);
      const signatures = (taken.lines ?? "").split("\n").map(parseLine);
      if (!isSignedBy({ text, signatures }, name, keys))
        throw new LedgerError("ledger-witness-refused", `witness ${name} signs with other keys than those pinned`);
      return taken;
    },
    addKeys: async (log, { line, proof }) => {
      await ask(options, "POST", "/keys", { log, line, proof: proof.map(base64) });
    },
  };
}

function ask(
  { name, address, certificate, patienceMs = 5_000 }: InstanceOptions,
  method: "GET" | "POST",
  path: string,
  body?: unknown,
): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const away = (why: string, cause?: unknown): void =>
    reject(new LedgerError("ledger-witness-away", `witness ${name} at ${address}: ${why}`, { cause }));
  const options = { method, timeout: patienceMs, headers: { "content-type": "application/json" } };
  try {
    const request = address.startsWith("unix:")
      ? requestHttp({ ...options, socketPath: address.slice("unix:".length), path })
      : requestHttps(new URL(path, address), { ...options, ca: certificate, minVersion: "TLSv1.3" });
    request.once("timeout", () => request.destroy(new Error("it does not answer")));
    request.once("error", (error) => away(error.message, error));
    request.once("response", (response) => {
      const chunks: Buffer[] = [];
      let octets = 0;
      response.on("data", (chunk: Buffer) => {
        octets += chunk.length;
        if (octets > MOST_OCTETS) request.destroy(new Error("its answer is too long"));
        else chunks.push(chunk);
      });
      response.once("error", (error) => away(error.message, error));
      response.once("end", () => {
        try {
          const answer = JSON.parse(Buffer.concat(chunks).toString("utf8")) as { message?: string };
          if (response.statusCode === 200) resolve(answer);
          else reject(new LedgerError("ledger-witness-refused", `witness ${name}: ${answer.message ?? "refused"}`));
        } catch (error) {
          away("its answer is not JSON", error);
        }
      });
    });
    request.end(body === undefined ? undefined : JSON.stringify(body));
  } catch (error) {
    away((error as Error).message, error);
  }
  return promise;
}

function base64(hash: Uint8Array): string {
  return Buffer.from(hash).toString("base64");
}
