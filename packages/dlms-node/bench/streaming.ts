import { DlmsError, dateTimeAt, PROPOSED_CONFORMANCE, streamProfileRange } from "@meterkeep/dlms";
import { BENCH_PROFILES, type BenchProfile } from "./loopback-profiles.ts";
import { associate, type BenchMeter } from "./start-meter.ts";

// What a load profile of any length takes of the client's memory while it streams by: what is alive after collecting, at
// moments spread over the profile, above what was alive before. The meter is in another process. Under general block
// transfer one APDU is ciphered as a whole and nothing of it is given before its tag holds, so there a limit keeps memory
// bounded instead.

const SAMPLES = 12;
const GBT_LIMIT_BYTES = 2_000_000;
const EVER = { from: dateTimeAt(Date.UTC(2000, 0, 1)), to: dateTimeAt(Date.UTC(2099, 0, 1)) };
const MB = 1_000_000;

/** Prints a line a profile and way. */
export async function benchStreaming(meter: BenchMeter): Promise<void> {
  // Once before it counts: compiled code stays.
  await mostAlive(meter, BENCH_PROFILES[1]);
  for (const profile of BENCH_PROFILES) {
    const bytes = await mostAlive(meter, profile);
    console.log(
      `streaming ${sizeOf(profile)} over GET blocks, ciphered: at most ${(bytes / MB).toFixed(2)} MB alive above the start`,
    );
  }
  await benchGeneralBlocks(meter);
}

/** Octets alive while a profile streams by, above those before, at their most. */
async function mostAlive(meter: BenchMeter, { logicalName, rows }: BenchProfile): Promise<number> {
  await using secured = await associate(meter.address);
  const before = aliveBytes();
  const every = Math.floor(rows / SAMPLES);
  let most = 0;
  let seen = 0;
  const look = ({ index }: { readonly index: number }): void => {
    seen += 1;
    if (index % every === 0) most = Math.max(most, aliveBytes() - before);
  };
  await streamProfileRange(secured.session, logicalName, EVER, look, { methods: ["whole"] });
  if (seen !== rows) throw new Error(`${seen} rows of ${rows}`);
  return most;
}

async function benchGeneralBlocks(meter: BenchMeter): Promise<void> {
  await using secured = await associate(meter.address, {
    conformance: [...PROPOSED_CONFORMANCE, "general-block-transfer"],
    blockTransfer: { windowBlocks: 8, preferred: true },
    maxResponseBytes: GBT_LIMIT_BYTES,
  });
  for (const profile of BENCH_PROFILES) {
    const { logicalName } = profile;
    const outcome = await secured.session.get({ classId: 7, logicalName, attributeId: 2 }).then(
      (buffer) => `${buffer.length.toLocaleString("en")} octets read`,
      (error: unknown) => {
        if (error instanceof DlmsError) return `refused with ${error.code}`;
        throw error;
      },
    );
    console.log(`${sizeOf(profile)} over general block transfer, limit ${GBT_LIMIT_BYTES / MB} MB: ${outcome}`);
    if (profile.octets > GBT_LIMIT_BYTES) return;
  }
}

const sizeOf = ({ rows, octets }: BenchProfile): string =>
  `${rows.toLocaleString("en")} rows (${(octets / MB).toFixed(1)} MB)`;

function aliveBytes(): number {
  // The second one waits for the buffers that the first has given up.
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
