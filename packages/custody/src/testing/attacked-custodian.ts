import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listenOnChannel } from "../channel/server.ts";
import { memoryCustodyStore } from "../store/memory-store.ts";
import { AuthorityWorld, DISCONNECT } from "./authority-world.ts";
import { testCredential } from "./test-credential.ts";
import { withTestCustody } from "./test-custody.ts";
import type { TestMeter } from "./test-meter.ts";

// A custodian in a process of its own that is attacked over its channel: so many meters that were taken over, in a fleet whose
// size is said. What a thief of the head-end has is told over IPC: its credentials, the policy service's key, and the lines
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

const [fleet = 0, meterCount = 0, targets = 0] = process.argv.slice(2).map(Number);
const UNLIMITED = { sealBudget: { burst: Number.MAX_SAFE_INTEGER, perSecond: Number.MAX_SAFE_INTEGER } };
const store = memoryCustodyStore();

await withTestCustody(
  async (custody) => {
    const world = await AuthorityWorld.open(custody);
    const meters = new Map<string, TestMeter>();
    for (let number = 1; number <= meterCount; number += 1) {
      const meter = await world.meter(number);
      meters.set(meter.systemTitle, meter);
    }
    const folder = mkdtempSync(join(tmpdir(), "meterkeep-attack-"));
    const socketPath = join(folder, "channel.sock");
    const [own, headEnd] = [testCredential("custodian"), testCredential("head-end")];
    const principals = [{ name: "head-end", role: "head-end", certificate: headEnd.certificate }] as const;
    const server = await listenOnChannel({ ...custody.custody, socketPath, ...own, principals });
    let line: ReturnType<TestMeter["connect"]> | undefined;
    const answer = async (asked: AskedOfWorld): Promise<unknown> => {
      if ("manifest" in asked) {
        const others = Array.from(
          { length: targets - meters.size },
          (_, at) => `545355${at.toString(16).toUpperCase().padStart(10, "0")}`,
        );
        return Buffer.from(world.manifest(DISCONNECT, [...meters.keys(), ...others])).toString("base64");
      }
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
      const entries = (await custody.store.ledger.read(0, 1_000_000))
        .filter(({ kind }) => kind === "critical-sealed" || kind === "seal-refused")
        .map(({ kind, meter = "", principal, body }) => ({ kind, meter, principal, body }));
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
      meters: [...meters.keys()],
    } satisfies Attacked);
    await over;
    await server.close();
    rmSync(folder, { recursive: true });
  },
  { ...store, provenMeterCount: async () => fleet },
  UNLIMITED,
);
