import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createChannelCredential } from "@meterkeep/pki";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { listenOnChannel } from "../src/channel/server.ts";
import type { KeyKeeping } from "../src/session/session-keys.ts";
import { memoryCustodyStore } from "../src/store/memory-store.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../src/store/postgres-store.ts";
import type { MeterFile } from "../src/store/records.ts";
import { carryTakeover, type TestCustody, withTestCustody } from "../src/testing/test-custody.ts";
import { TestMeter } from "../src/testing/test-meter.ts";
import { titleOf, withFleet } from "./fleet.ts";

// The custodian of the bench, in a process of its own: one meter that is taken over, and its line over IPC; and as many
// like it as are asked for, each with a session that is open. `session` or `call` says how it keeps keys; with `database` it
// writes to PostgreSQL, so that what it holds in memory is its own.

type Asked =
  | { readonly exchange: string }
  | { readonly cpu: true }
  | { readonly memory: true }
  /** So many meters, each with a session that keeps its keys like that; `from` is the number of the first. */
  | { readonly fleet: number; readonly from: number; readonly keeping: KeyKeeping };

const OPENED_AT_ONCE = 64;

const credential = (name: string) =>
  createChannelCredential({
    name,
    serial: randomBytes(16),
    notBefore: new Date("2026-01-01T00:00:00Z"),
    notAfter: new Date("2056-01-01T00:00:00Z"),
  });

const folder = mkdtempSync(join(tmpdir(), "meterkeep-bench-"));
const socketPath = join(folder, "channel.sock");
const [own, headEnd] = [credential("custodian"), credential("head-end")];
const [usual, storing] = process.argv.slice(2);
/** How sessions that are opened now keep keys. */
let keeping: KeyKeeping = usual === "call" ? "call" : "session";
const UNLIMITED = {
  sealBudget: { burst: Number.MAX_SAFE_INTEGER, perSecond: Number.MAX_SAFE_INTEGER },
  keeping: () => keeping,
};
const fleet = withFleet(memoryCustodyStore());
/** As it is, and of the heap what a collection leaves, where one may be asked for. */
const memory = () => {
  const usage = process.memoryUsage();
  globalThis.gc?.();
  return { usage, live: process.memoryUsage().heapUsed };
};

const serve = async (custody: TestCustody): Promise<void> => {
  const meter = new TestMeter({ systemTitle: "5453540000000007" });
  await custody.add(meter);
  await carryTakeover(custody, meter);
  const principals = [{ name: "head-end", role: "head-end", certificate: headEnd.certificate }] as const;
  const server = await listenOnChannel({ ...custody.custody, socketPath, ...own, principals });
  const line = meter.connect(1, 1);
  const over = new Promise<void>((resolve) => process.once("disconnect", () => resolve()));
  const openFleet = async ({ fleet: meters, from, keeping: kept }: Extract<Asked, { fleet: number }>) => {
    keeping = kept;
    fleet.begin((await custody.store.load(meter.systemTitle)) as MeterFile, custody.vault);
    const sessions: string[] = [];
    let left = meters;
    const lane = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        sessions.push(await fleet.open(custody.custody.service, titleOf(from + left), principals[0]));
      }
    };
    await Promise.all(Array.from({ length: OPENED_AT_ONCE }, lane));
    return sessions;
  };
  process.on("message", (message: Asked) => {
    if ("cpu" in message) process.send?.({ cpu: process.cpuUsage() });
    else if ("memory" in message) process.send?.(memory());
    else if ("fleet" in message) void openFleet(message).then((sessions) => process.send?.({ sessions }));
    else {
      const answer = line.exchange(Buffer.from(message.exchange, "hex"));
      process.send?.({ answer: Buffer.from(answer ?? []).toString("hex") });
    }
  });
  process.send?.({ socketPath, systemTitle: meter.systemTitle, headEnd, custodianCertificate: own.certificate });
  await over;
  await server.close();
};
if (storing === "database")
  await withTestDatabase({ migrations: CUSTODY_MIGRATIONS }, ({ pool }) =>
    withTestCustody(serve, postgresCustodyStore(pool), UNLIMITED),
  );
else await withTestCustody(serve, fleet.store, UNLIMITED);
rmSync(folder, { recursive: true });
