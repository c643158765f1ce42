import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { SoftTokens, softTokenMissing } from "@meterkeep/hsm/testing";
import { type ApiClient, ownerClient } from "../src/api-client.ts";
import { assertCustodyIsWhole } from "../src/custody-check.ts";
import { processFacts } from "../src/process-facts.ts";
import { type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { until } from "../src/until.ts";

const missing = softTokenMissing();
const METERS = 4;

/** Children of a process: of the custodian, the processes of its tokens. */
function childrenOf(parent: number): number[] {
  return readdirSync("/proc").flatMap((name) => {
    const facts = /^\d+$/.test(name) ? processFacts(Number(name)) : undefined;
    return facts?.parent === parent ? [facts.pid] : [];
  });
}

describe("a town whose vault is in two tokens, its encryption keys in them too", { skip: missing ?? false }, () => {
  let tokens: SoftTokens;
  let meterkeep: Meterkeep;
  let api: ApiClient;
  const intervals = async (): Promise<number> => (await api.call("overview")).counts.intervalsAll;
  const readOn = async (): Promise<void> => {
    const held = await intervals();
    await until("meters are read on", async () => (await intervals()) > held);
  };

  before(async () => {
    tokens = new SoftTokens();
    const list = ["one", "two"].map((label) => {
      const { library, pin, env } = tokens.make(label);
      return { library, label, pin: typeof pin === "function" ? pin() : pin, sessions: 4, env };
    });
    // Where processes have users of their own, the custodian's must reach its tokens.
    execFileSync("chmod", ["-R", "a+rwX", tokens.directory]);
    const file = `${tokens.directory}/tokens.json`;
    writeFileSync(file, JSON.stringify(list), { mode: 0o600 });
    const options = ["--tokens-file", file, "--meter-keys", "token", "--standby", "10"];
    meterkeep = await startMeterkeep({ meters: METERS, options });
    api = await ownerClient(meterkeep);
    await until("every takeover has its verdict", async () => {
      const meters = await api.meters();
      return meters.length >= METERS && meters.every(({ takeover }) => ["proven", "refused"].includes(takeover));
    });
  });
  after(async () => {
    await meterkeep?.stop();
    tokens?.[Symbol.dispose]();
    rmSync(tokens?.directory ?? "", { recursive: true, force: true });
  });

  test("the processes of both tokens are killed, and it reads on with new ones", async () => {
    const custodian = meterkeep.pids()["custodian"] as number;
    const before = childrenOf(custodian);
    assert.equal(before.length, 2);
    for (const pid of before) process.kill(pid, "SIGKILL");
    await readOn();
    await until("both are back", () => childrenOf(custodian).filter((pid) => !before.includes(pid)).length === 2);
  });

  test("under each fault of the tokens it reads on", async () => {
    for (const kind of ["device-error", "session-lost", "wrong-handle", "hang", "gone"] as const) {
      tokens.fault({ kind, times: 2 });
      await until(`calls have suffered ${kind}`, () => tokens.left === 0);
      await readOn();
    }
    tokens.fault({ kind: "none" });
  });

  test("the custodian is killed, and it is read on: by its standby, with the same tokens", async () => {
    const killed = meterkeep.pids()["custodian"];
    process.kill(killed as number, "SIGKILL");
    await until("there are two custodians again", () => meterkeep.pids()["custodian"] !== killed);
    await readOn();
    await readOn();
    await assertCustodyIsWhole(meterkeep.stateDirectory, (await api.meters()).length);
  });
});
