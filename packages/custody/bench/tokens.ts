import { SecretKey } from "@meterkeep/dlms-node";
import { SoftTokens, softTokenMissing } from "@meterkeep/hsm/testing";
import { memoryCustodyStore } from "../src/store/memory-store.ts";
import { openVault } from "../src/vault/open-vault.ts";
import { perSecond } from "./figures.ts";
import { watchEventLoop } from "./held-up.ts";

const SESSIONS = 32;
const BATCH = 64;
const RECORDS = 4096;

/** Unsealing by a token that takes 2 ms an operation (two calls of 1 ms), 32 sessions, and how long this process was held up. */
export async function benchTokens(seconds: number): Promise<void> {
  const missing = softTokenMissing();
  if (missing !== undefined) return console.log(`no token: ${missing}`);
  using tokens = new SoftTokens();
  const source = { kind: "tokens", tokens: [tokens.make("bench", { sessions: SESSIONS })] } as const;
  const { vault, close } = await openVault(memoryCustodyStore(), source, 0);
  const places = Array.from({ length: RECORDS }, (_, n) => ({
    utility: "utility",
    island: "island",
    systemTitle: Uint8Array.of(0x54, 0x53, 0x54, 0, 0, 0, n >> 8, n & 0xff),
    setup: 0,
    purpose: 0,
    version: 1,
  }));
  const sealed = await vault.seal(places.map((place) => ({ place, key: SecretKey.random(16) })));
  const records = sealed.map((octets, at) => ({ place: places[at]!, sealed: octets }));
  tokens.fault({ kind: "latency", times: -1, milliseconds: 1 });
  await vault.unseal(records.slice(0, BATCH));
  const heldUp = watchEventLoop();
  let done = 0;
  const began = performance.now();
  const lane = async (first: number): Promise<void> => {
    for (let at = first; performance.now() - began < seconds * 1000; at = (at + BATCH) % RECORDS) {
      for (const key of await vault.unseal(records.slice(at, at + BATCH))) key[Symbol.dispose]();
      done += BATCH;
    }
  };
  await Promise.all(Array.from({ length: 4 }, (_, n) => lane(n * BATCH)));
  const { mostMilliseconds, mostOwnMilliseconds, p99Milliseconds } = heldUp();
  const rate = (done * 1000) / (performance.now() - began);
  console.log(
    `token of 2 ms, ${SESSIONS} sessions     ${perSecond(rate)} keys a second; event loop held up ${mostMilliseconds.toFixed(1)} ms at most (${mostOwnMilliseconds.toFixed(1)} ms by its own work), p99 ${p99Milliseconds.toFixed(1)} ms`,
  );
  tokens.fault({ kind: "none" });
  await close();
}
