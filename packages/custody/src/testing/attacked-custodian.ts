import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { withTestDatabase } from "@meterkeep/postgres/testing";
import { listenOnChannel } from "../channel/server.ts";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { CUSTODY_MIGRATIONS, postgresCustodyStore } from "../store/postgres-store.ts";
import type { CustodyStore } from "../store/store.ts";
import { AuthorityWorld, DISCONNECT, OPERATOR } from "./authority-world.ts";
import { addSettledMeters } from "./settled-fleet.ts";
import { testCredential } from "./test-credential.ts";
import { withTestCustody } from "./test-custody.ts";
import type { TestMeter } from "./test-meter.ts";

// A custodian in a process of its own that is attacked over its channel: so many meters that were taken over, in a fleet that is
// written into PostgreSQL meter by meter, or whose size is only said. What a thief of the head-end has is told over IPC: its credentials, the policy service's key, and the lines
// to the meters. People who sign whatever they see, and time, are asked for there as well.

/** What the attacker asks of the world around the custodian. */
export type AskedOfWorld =
  | { readonly manifest: true }
  | { readonly approve: string }
  | { readonly pass: number }
  | { readonly meter: string; readonly clientSap: number; readonly serverSap: number }
  | { readonly exchange: string }
  | { readonly outcome: true };

/** What the process says when it listens. */
export interface Attacked {
  readonly socketPath: string;
  readonly custodianCertificate: string;
  readonly headEnd: { readonly certificate: string; readonly privateKey: string };
  readonly policyKey: string;
  readonly now: number;
  /** What its caps are a share of, as it counts it, and how long the count took with the check of what is counted. */
  readonly counted: number;
  readonly countMilliseconds: number;
  /** System titles of the meters that there are. */
  readonly meters: readonly string[];
}

/** What has come of it, as the meters and the custodian's ledger say. */
export interface AttackOutcome {
  readonly dark: readonly string[];
  readonly entries: readonly {
    readonly kind: string;
    readonly meter: string;
    readonly principal: string;
    readonly body: string;
  }[];
}

const [fleet = 0, meterCount = 0, targets = 0] = process.argv.slice(2, 5).map(Number);
const kept = process.argv[5];
/** A count of hundreds of thousands is good for minutes: after these it is made anew. */
const COUNTED_ANEW = 700_000;
/** Nobody waits for it, and a start that leaves out what it may have lost leaves counters. */
const WIDE = { sealBudget: { burst: 100_000, perSecond: 100_000 } };
/** Homes that are in the manifest, and none that answers. */
const others = Array.from(
  { length: targets - meterCount },
  (_, at) => `545355${at.toString(16).toUpperCase().padStart(10, "0")}`,
);

const attacked = (store: CustodyStore, isWritten: boolean): Promise<void> =>
  withTestCustody(
    async (custody) => {
      const world = await AuthorityWorld.open(custody);
      const meters = new Map<string, TestMeter>();
      for (let number = 1; number <= meterCount; number += 1) {
        const meter = await world.meter(number);
        meters.set(meter.systemTitle, meter);
      }
      if (isWritten) {
        const like = await store.load([...meters.keys()][0] ?? "");
        if (like === undefined) throw new Error("no meter to write others like");
        await addSettledMeters(store, custody.vault, like, others, custody.now);
        await custody.restart();
        custody.now += COUNTED_ANEW;
      }
      const counting = performance.now();
      await world.service.authorityState({}, OPERATOR);
      const countMilliseconds = Math.round(performance.now() - counting);
      const folder = mkdtempSync(join(tmpdir(), "meterkeep-attack-"));
      const socketPath = join(folder, "channel.sock");
      const [own, headEnd] = [testCredential("custodian"), testCredential("head-end")];
      const principals = [{ name: "head-end", role: "head-end", certificate: headEnd.certificate }] as const;
      const server = await listenOnChannel({ ...custody.custody, socketPath, ...own, principals });
      let line: ReturnType<TestMeter["connect"]> | undefined;
      const answer = async (asked: AskedOfWorld): Promise<unknown> => {
        if ("manifest" in asked)
          return Buffer.from(world.manifest(DISCONNECT, [...meters.keys(), ...others])).toString("base64");
        if ("approve" in asked) {
          await world.approve(asked.approve, world.anna);
          await world.approve(asked.approve, world.ben);
          return {};
        }
        if ("pass" in asked) {
          custody.now += asked.pass;
          return custody.now;
        }
        if ("meter" in asked) {
          line = meters.get(asked.meter)?.connect(asked.clientSap, asked.serverSap);
          return {};
        }
        if ("exchange" in asked)
          return Buffer.from(line?.exchange(Buffer.from(asked.exchange, "hex")) ?? []).toString("hex");
        await custody.custody.sweep();
        const entries = (await custody.store.ledger.ofKinds(["critical-sealed", "seal-refused"])).map(
          ({ kind, meter = "", principal, body }) => ({ kind, meter, principal, body }),
        );
        const dark = [...meters.values()].filter(({ supply }) => supply === "disconnected");
        return { dark: dark.map(({ systemTitle }) => systemTitle), entries } satisfies AttackOutcome;
      };
      const over = new Promise<void>((resolve) => process.once("disconnect", () => resolve()));
      process.on("message", (asked: AskedOfWorld) => void answer(asked).then((said) => process.send?.({ said })));
      process.send?.({
        socketPath,
        custodianCertificate: own.certificate,
        headEnd,
        policyKey: world.policy.key.export({ format: "pem", type: "pkcs8" }).toString(),
        now: custody.now,
        counted: await store.provenMeterCount(),
        countMilliseconds,
        meters: [...meters.keys()],
      } satisfies Attacked);
      await over;
      await server.close();
      rmSync(folder, { recursive: true });
    },
    store,
    WIDE,
  );

if (kept === "postgres")
  await withTestDatabase({ migrations: CUSTODY_MIGRATIONS, maxConnections: 8 }, ({ pool }) =>
    attacked(postgresCustodyStore(pool), true),
  );
else await attacked({ ...memoryCustodyStore(), provenMeterCount: async () => fleet }, false);
