import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { EnrolmentReport, EnrolmentState } from "@meterkeep/api/custodian";
import { ownerClient } from "../src/api-client.ts";
import { type Meterkeep, startMeterkeep } from "../src/start-meterkeep.ts";
import { until } from "../src/until.ts";

const METERS = 30;
const PATIENCE_MS = 240_000;
const PATIENTLY = { patienceMs: PATIENCE_MS, everyMs: 1000 };

type Certificates = EnrolmentReport & {
  readonly meters: readonly (Omit<EnrolmentState, "meter"> & { meter: string })[];
};

/** A certificate as `meterkeep pki search --json` prints it. */
interface Found {
  readonly serial: string;
  readonly systemTitle?: string;
  readonly state: string;
}

interface Plan {
  readonly id: string;
  readonly stage: string;
  readonly state: string;
  readonly meters: number;
}

/** What-if names the load of just the meters that the authority has certified, as they were read last. */
async function requireLoad(
  meterkeep: Pick<Meterkeep, "command" | "address">,
  authority: string,
  titles: ReadonlySet<string>,
): Promise<void> {
  const api = await ownerClient(meterkeep, "read");
  const measured = async () =>
    (await api.meters()).flatMap(({ systemTitle, powerW }) =>
      titles.has(systemTitle) && powerW !== undefined ? [`${systemTitle} ${powerW}`] : [],
    );
  await until(
    "what-if's load is the sum of what its meters measured, between two looks at which nothing was read",
    async () => {
      const before = await measured();
      const effect = await api.call("revocationEffect", { params: { authority } });
      if (before.length === 0 || before.sort().join() !== (await measured()).sort().join()) return false;
      const watts = before.map((one) => Math.abs(Number(one.split(" ")[1])));
      assert.equal(effect.metersWithoutLoad, effect.meters - watts.length);
      assert.ok(Math.abs(effect.loadW - watts.reduce((sum, one) => sum + one, 0)) < 0.001, JSON.stringify(effect));
      assert.ok(effect.loadW > 0);
      return true;
    },
    PATIENTLY,
  );
}

test("our own certificate as a client of the meters is revoked: they lose it one by one, take another, and the stage ends by itself", async (context: TestContext) => {
  await using meterkeep = await startMeterkeep({ meters: METERS, speed: 60 });
  const json = async <T>(...args: readonly string[]): Promise<T> => {
    const { status, stdout, stderr } = await meterkeep.command([...args, "--json"]);
    assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
    return JSON.parse(stdout) as T;
  };
  const certificates = () => json<Certificates>("keys", "certificates");
  const report = await until(
    "every meter that can hold certificates is enrolled",
    async () => {
      const found = await certificates();
      return found.capable > 1 && found.enrolled === found.capable && found;
    },
    PATIENTLY,
  );
  const { authorities } = await json<{ authorities: { authority: string; profile: string }[] }>("pki", "authorities");
  const issuing = authorities.find(({ profile }) => profile === "issuing-p256")?.authority as string;
  const meters = new Set(report.meters.map(({ meter }) => meter));
  const found = await json<Found[]>("pki", "search", "--authority", issuing, "--is", "valid", "--limit", "500");
  const client = found.find(({ systemTitle = "" }) => systemTitle !== "" && !meters.has(systemTitle));
  assert.ok(client, "we are a client of the meters by a certificate of our own");

  await requireLoad(meterkeep, issuing, new Set(found.map(({ systemTitle = "" }) => systemTitle)));

  const revoke = ["pki", "revoke-authority", issuing, "--certificate", client.serial] as const;
  const effect = await json<{ meters: number; certificates: number; metersPerHour: number; hoursToEnrol: number }>(
    ...revoke,
    "--what-if",
  );
  assert.equal(effect.certificates, 1);
  assert.ok(effect.metersPerHour > 0, "at the pace at which they were enrolled over the air");
  assert.equal(effect.hoursToEnrol, effect.meters / effect.metersPerHour);

  const plan = await json<Plan>(...revoke, "--reason", "keyCompromise");
  const move = (to: string) => json<Plan>("pki", "revocation", plan.id, to);
  const standing = async () => {
    const { plans } = await json<{ plans: Plan[] }>("pki", "revocations");
    return plans.find(({ id }) => id === plan.id) as Plan;
  };
  const isDone = (stage: string) => async () => {
    const { stage: at, state } = await standing();
    return at === stage && state === "done";
  };
  await move("start");
  await until("the platform refuses it", isDone("refuse"), PATIENTLY);
  assert.equal((await move("next")).state, "running");
  const stopped = await meterkeep.command(["pki", "revocation", plan.id, "stop"]);
  // Whoever is quicker: a stage that has ended cannot be stopped.
  if (stopped.status === 0) {
    assert.equal((await standing()).state, "stopped");
    await move("start");
  }
  await until("no meter holds it", isDone("remove"), PATIENTLY);
  const removals = await until(
    "every meter has its new certificate of ours, and is enrolled again",
    async () => {
      const { enrolled, capable, meters: all } = await certificates();
      return enrolled === capable && all;
    },
    PATIENTLY,
  );
  // A meter that takes our new certificate in the place of the old one has nothing left to remove: its list says so.
  for (const { suite, cause, steps, sentence } of removals)
    if (suite === 1) {
      assert.equal(cause, "revocation", sentence);
      assert.equal(steps.findLast(({ step }) => step === "certificate-list")?.outcome, "passed", sentence);
    }
  const again = await json<Found[]>("pki", "search", "--authority", issuing, "--is", "valid", "--limit", "500");
  assert.ok(again.some(({ systemTitle }) => systemTitle === client.systemTitle));
  assert.ok(!again.some(({ serial }) => serial === client.serial));
  context.diagnostic(`${removals.length} meters lost a certificate of ours and took another`);
});
