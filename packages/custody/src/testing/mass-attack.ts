import { fork } from "node:child_process";
import { createPrivateKey, randomBytes, sign } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { SealResult } from "@meterkeep/api/custodian";
import { type CustodianClient, custodianClient } from "@meterkeep/api/custodian-channel";
import { fromHex, systemTitle, toHex } from "@meterkeep/dlms";
import { signedPartOf, writeToken } from "@meterkeep/guard";
import type { AskedOfWorld, Attacked, AttackOutcome } from "./attacked-custodian.ts";

/** ACTION remote_disconnect of 0-0:96.3.10.255. */
const DISCONNECT_APDU = fromHex("c301c10046000060030aff01010f00");
const CHUNK_BYTES = 500_000;
const MINUTE = 60_000;
/** By then the delays of those who are asked for first are over (MC-12, MC-13). */
const UNTIL_DUE = 51 * MINUTE;
/** A token is minutes old. */
const TOKEN_MILLISECONDS = 120_000;

/** How large an attack is. */
export interface AttackSize {
  /** Homes that the custodian counts. */
  readonly fleet: number;
  /** Homes in the one manifest that people sign. */
  readonly targets: number;
  /** Of those, meters that are there and are asked one by one. */
  readonly meters: number;
  /** Where the custodian keeps them: in `postgres` the whole fleet is written, meter by meter; in memory it is a number. */
  readonly kept?: "memory" | "postgres";
}

/** What an attack has brought about. */
export interface AttackReport extends AttackOutcome {
  /** What the custodian said, meter by meter, in the order in which they were asked. */
  readonly answers: readonly SealResult[];
  readonly manifest: string;
  /** From the first seal to the first refusal by a cap, milliseconds. */
  readonly capMilliseconds: number | undefined;
  /** What the caps were a share of, and how long it took to count and check it. */
  readonly counted: number;
  readonly countMilliseconds: number;
  /** To hand the manifest over and have it read. */
  readonly submitMilliseconds: number;
}

/**
 * Takes a head-end over and switches off whomever it can: a manifest of all homes that two people were fooled to sign, the
 * policy service's own key, a true token and a session for each meter, over the real channel of a custodian in a process of its own.
 */
export async function attackFleet({ fleet, targets, meters, kept = "memory" }: AttackSize): Promise<AttackReport> {
  const program = fileURLToPath(new URL("attacked-custodian.ts", import.meta.url));
  // None of the options of whoever runs this: a custodian is no test.
  const child = fork(program, [...[fleet, meters, targets].map(String), kept], { execArgv: [] });
  try {
    const [attacked] = (await once(child, "message")) as [Attacked];
    const ask = async <T>(message: AskedOfWorld): Promise<T> => {
      const answer = once(child, "message");
      child.send(message);
      return ((await answer) as [{ readonly said: T }])[0].said;
    };
    // Written in the process that listens, which says nothing meanwhile.
    const octets = Buffer.from(await ask<string>({ manifest: true }), "base64");
    await using client = closing(custodianClient({ ...attacked, ...attacked.headEnd }));
    const submitting = performance.now();
    const manifest = await submit(client, octets);
    const submitMilliseconds = Math.round(performance.now() - submitting);
    await ask({ approve: manifest });
    const now = await ask<number>({ pass: UNTIL_DUE });
    const answers: SealResult[] = [];
    const began = performance.now();
    let capMilliseconds: number | undefined;
    for (const title of attacked.meters) {
      const token = tokenFor(attacked.policyKey, manifest, title, now);
      const answer = await command(client, ask, title, token);
      answers.push(answer);
      if (answer.kind === "refused" && answer.code === "cap-reached")
        capMilliseconds ??= Math.round(performance.now() - began);
    }
    const { counted, countMilliseconds } = attacked;
    const times = { counted, countMilliseconds, capMilliseconds, submitMilliseconds };
    return { ...(await ask<AttackOutcome>({ outcome: true })), answers, manifest, ...times };
  } finally {
    const ended = once(child, "exit");
    child.disconnect();
    await ended;
  }
}

type Ask = <T>(message: AskedOfWorld) => Promise<T>;

async function submit(client: CustodianClient, octets: Uint8Array): Promise<string> {
  const { upload } = await client.beginShipment({ utility: "stadtwerke", island: "mainland" });
  for (let at = 0; at < octets.length; at += CHUNK_BYTES)
    await client.shipmentChunk({ upload, bytes: octets.subarray(at, at + CHUNK_BYTES) });
  return (await client.submitManifest({ upload })).hash;
}

/** Asks for one home to be switched off, and sends what comes out sealed. */
async function command(client: CustodianClient, ask: Ask, title: string, token: Uint8Array): Promise<SealResult> {
  const opened = await client.openSession({ meter: systemTitle(fromHex(title)), purpose: "configure" });
  const { session, clientSap, serverSap } = opened;
  await ask({ meter: title, clientSap, serverSap });
  const exchange = async (octets: Uint8Array): Promise<Uint8Array> =>
    fromHex(await ask<string>({ exchange: toHex(octets) }));
  for (let send: Uint8Array | undefined = opened.apdu; send !== undefined; ) {
    const advance = await client.advanceSession({ session, received: await exchange(send) });
    if (advance.kind === "failed") throw new Error(advance.message);
    send = advance.kind === "send" ? advance.apdu : undefined;
  }
  const [result] = await client.seal({ session, items: [{ apdu: DISCONNECT_APDU, token }] });
  if (result === undefined) throw new Error("the custodian gave no answer");
  if (result.kind === "sealed") await client.open({ session, apdus: [await exchange(result.apdu)] });
  await client.closeSession({ session, outcome: "completed" });
  return result;
}

/** As the head-end's policy service signs them: its key is on the disk that was stolen. */
function tokenFor(pem: string, manifest: string, title: string, now: number): Uint8Array {
  const token = {
    issuer: "policy",
    manifest: fromHex(manifest),
    meter: systemTitle(fromHex(title)),
    act: 0,
    notBefore: now - 1000,
    notAfter: now + TOKEN_MILLISECONDS,
    nonce: new Uint8Array(randomBytes(16)),
  };
  const signature = sign("sha384", signedPartOf(token), { key: createPrivateKey(pem), dsaEncoding: "ieee-p1363" });
  return writeToken(token, new Uint8Array(signature));
}

function closing(client: CustodianClient): CustodianClient & AsyncDisposable {
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}
