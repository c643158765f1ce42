import { toHex } from "@meterkeep/dlms";
import { authorityId, nameText, stateOf } from "@meterkeep/pki";
import type { Caller } from "../calls/caller.ts";
import type { Pki } from "../pki/open-pki.ts";

/** The profile of certificates that let a process on another machine be a worker of the head-end, and nothing else. */
export const WORKER_PROFILE = "worker";

/** Sessions that one worker may have open: more than a machine holds. */
const MOST_SESSIONS = 20_000;

/** A worker on another machine, by the certificate that its connection has proven. */
export interface RemoteWorker {
  readonly caller: Caller;
  /** Who issued its certificate, and under which number: what a revocation names. */
  readonly authority: string;
  readonly serial: string;
}

/**
 * Who has this certificate, as of now: undefined unless this PKI issued it to a worker, it holds, and neither it nor an
 * authority above it was revoked. A worker may ask what the head-end may, for meters of the island that its authority issues for.
 *
 * @param octets DER, as the connection has proven it
 */
export async function remoteWorkerOf(pki: Pki, octets: Uint8Array): Promise<RemoteWorker | undefined> {
  const seen = await pki.examine(octets, "tls-client");
  if (!seen.isTrusted) return undefined;
  const { certificate, path } = seen;
  const authority = authorityId(path[1]!);
  const serial = toHex(certificate.serial);
  const record = await pki.store.registry.find(authority, serial);
  if (record?.profile !== WORKER_PROFILE || stateOf(record, pki.now()) !== "valid") return undefined;
  const { utility, island } = record;
  if (pki.isCut({ utility, island })) return undefined;
  return {
    authority,
    serial,
    caller: {
      name: principalOfWorker(nameText(certificate.subject)),
      role: "head-end",
      rights: {
        sessions: MOST_SESSIONS,
        permits: (place) => place.utility === utility && place.island === island,
      },
    },
  };
}

/** The name that a worker has in the ledger, told apart from the principals of this installation. */
function principalOfWorker(subject: string): string {
  return `worker:${subject.replace(/^CN=/, "")}`;
}
