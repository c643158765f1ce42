import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import type { CampaignView } from "@meterkeep/api";
import type { EnrolmentReport, EnrolmentState } from "@meterkeep/api/custodian";
import { type OtherUtility, otherUtility } from "@meterkeep/custody/testing";
import { type ApiClient, ownerClient } from "../src/api-client.ts";
import { approve, enrolKeyHolder, type KeyHolder, planPolicyService, said } from "../src/authority.ts";
import { workOrder } from "../src/billing-office.ts";
import { assertNeverContacted, retire, sell, takeBack, trust } from "../src/departing.ts";
import { type Meterkeep, makeStateDirectory, startMeterkeep } from "../src/start-meterkeep.ts";
import { townControl } from "../src/town-control.ts";
import { until } from "../src/until.ts";

/** Half of the homes can hold certificates. */
const METERS = 20;
const PATIENCE = { patienceMs: 300_000 };

type Certificates = EnrolmentReport & {
  readonly meters: readonly (Omit<EnrolmentState, "meter"> & { meter: string })[];
};

interface LedgerLine {
  readonly kind?: string;
  readonly meter?: string;
  readonly body?: {
    readonly signed?: boolean;
    readonly mechanism?: number;
    readonly setup?: number;
    readonly carrier?: string;
    readonly step?: string;
    readonly keys?: readonly { readonly purpose: number }[];
  };
}

const BROADCAST = 1;

/** What the ledger says of who carried new keys to a meter, and of who carried the refusal of the factory's, in each of its setups. */
function gradeByWay(entries: readonly LedgerLine[]): "shielded" | "exposed" {
  const told: string[] = [];
  const refusals = new Map<number, string>();
  let carrier = "";
  for (const { kind, body } of entries)
    if (kind === "takeover-contact-opened") {
      carrier = body?.carrier ?? "";
      if (body?.step === "refuse-factory-keys") refusals.set(body.setup ?? 0, carrier);
    } else if (kind === "key-transfer-sealed" && body?.keys?.some(({ purpose }) => purpose !== BROADCAST))
      told.push(carrier);
  assert.deepEqual([...refusals.keys()].sort(), [0, 1]);
  return [...told, ...refusals.values()].every((by) => by === "depot") ? "shielded" : "exposed";
}

describe("meters of suites 1 and 2 in a town", () => {
  let meterkeep: Meterkeep;
  let api: ApiClient;
  let report: Certificates;
  let people: readonly KeyHolder[] = [];
  /** Who buys a meter, and sells it back. */
  let buyer: OtherUtility;
  let sold: string;
  let transfer: Awaited<ReturnType<typeof sell>>;
  const stateDirectory = makeStateDirectory();
  const options = {
    stateDirectory,
    meters: METERS,
    speed: 60,
    options: ["--profiles", "idis-p3=2,dsmr-5=1,idis-p2-service=1"],
  };
  before(async () => {
    meterkeep = await startMeterkeep(options);
    api = await ownerClient(meterkeep);
  });
  after(async () => {
    await meterkeep?.stop();
    rmSync(stateDirectory, { recursive: true, force: true });
  });

  const ledger = async (): Promise<readonly LedgerLine[]> => {
    const { status, stdout, stderr } = await meterkeep.command(["ledger", "export", "-"]);
    assert.equal(status, 0, stderr);
    const lines = stdout.trimEnd().split("\n");
    return lines.map((line) => JSON.parse(line) as LedgerLine);
  };

  test("are given three certificates each after their takeover, and are read by signature from then on", async (context) => {
    report = await until(
      "every meter that can hold certificates is enrolled",
      async () => {
        const { status, stdout } = await meterkeep.command(["keys", "certificates", "--json"]);
        const found = status === 0 ? (JSON.parse(stdout) as Certificates) : undefined;
        return (
          found !== undefined &&
          found.meters.length > 0 &&
          found.meters.every(({ verdict, signs }) => verdict === "enrolled" && signs) &&
          found
        );
      },
      PATIENCE,
    );
    assert.deepEqual([...new Set(report.meters.map(({ suite }) => suite))].sort(), [1, 2]);
    for (const { meter, signs, certificates, sentence, provenAt } of report.meters) {
      assert.ok(signs, sentence);
      assert.deepEqual(
        certificates.map(({ use, state }) => [use, state]),
        [
          ["digitalSignature", "proven"],
          ["keyAgreement", "proven"],
          ["tls", "on-meter"],
        ],
      );
      await until(
        `${meter} is read after its enrolment`,
        async () => {
          const { lastSession, enrolment } = await api.call("meter", { params: { systemTitle: meter } });
          assert.equal(enrolment?.certificates.length, 3);
          if (lastSession === undefined) return false;
          const { session } = await api.call("session", { params: { id: lastSession } });
          const { purpose, outcome, startedAt } = session;
          return purpose === "read" && outcome === "done" && Date.parse(startedAt) > (provenAt as number);
        },
        PATIENCE,
      );
    }
    const opened = (await ledger()).filter(({ kind }) => kind === "session-opened");
    for (const { meter } of report.meters)
      assert.equal(
        opened.findLast((one) => one.meter === meter)?.body?.mechanism,
        7,
        "its sessions are opened by signatures",
      );
    context.diagnostic(`${report.enrolled} of ${METERS} homes have certificates`);
  });

  test("have homes beside them whose two security setups are both taken over: their grade is the lowest of what both ways give", async (context) => {
    const homes = (await townControl(stateDirectory).truth()).filter(({ profile }) => profile === "idis-p2-service");
    const grades = new Map<string, string>();
    for (const { systemTitle } of homes) {
      const { takeover, keys } = await until(
        `the takeover of ${systemTitle} is over in both setups`,
        async () => {
          const found = await api.call("meter", { params: { systemTitle } });
          const { phase, verdict, sentence } = found.takeover;
          const isOpen = verdict === "proven" && sentence.includes("security setup 1 as well");
          return phase === "done" && !isOpen && found;
        },
        PATIENCE,
      );
      if (takeover.verdict !== "proven") continue;
      for (const setup of [undefined, 1])
        for (const purpose of ["GUEK", "GAK", "KEK"])
          assert.ok(
            keys.some(
              (key) =>
                key.setup === setup &&
                key.purpose === purpose &&
                key.state === "active" &&
                key.origin === "generated" &&
                key.provenAt !== undefined,
            ),
            `${systemTitle} ${setup} ${purpose}`,
          );
      grades.set(systemTitle, takeover.grade);
    }
    assert.ok(grades.size > 0);
    const entries = await ledger();
    for (const [systemTitle, grade] of grades)
      assert.equal(grade, gradeByWay(entries.filter(({ meter }) => meter === systemTitle)), systemTitle);
    context.diagnostic(`homes with two setups: ${[...grades.values()].join(", ")}`);
  });

  test("are commanded by what is signed, in both suites", async () => {
    const anna = await enrolKeyHolder(meterkeep, "anna", "anna", "operations");
    const ben = await enrolKeyHolder(meterkeep, "ben", "ben", "security");
    people = [anna, ben];
    await approve(meterkeep, await planPolicyService(meterkeep), ...people);
    const town = townControl(meterkeep.stateDirectory);
    const supplied = async (meter: string) =>
      (await town.truth()).find(({ systemTitle }) => systemTitle === meter)?.supplied;
    const [first = "", second = ""] = [1, 2].map((suite) => report.meters.find((one) => one.suite === suite)?.meter);
    await workOrder(meterkeep.stateDirectory, "WO-1", "safety", [first]);
    await carryOut([anna, ben], ["disconnect", first, "--reason", "safety", "--work-order", "WO-1"]);
    assert.equal(await supplied(first), false);
    await carryOut([anna, ben], ["reconnect", first, "--reason", "restore"]);
    assert.equal(await supplied(first), true);
    // One home in so small a town is all that may go dark in an hour.
    const destination = `127.0.0.1:${meterkeep.ports.push}`;
    const setup = JSON.stringify({
      setup: "alarm",
      destination,
      randomisationSeconds: 30,
      retries: 2,
      repetitionSeconds: 60,
    });
    await carryOut([anna, ben], ["push-setup", second, "--reason", "maintenance", "--parameters", setup]);
    const critical = (await ledger()).filter(({ kind }) => kind === "critical-sealed");
    for (const meter of [first, second]) {
      const sealed = critical.filter((one) => one.meter === meter);
      assert.ok(sealed.length > 0);
      assert.ok(sealed.every(({ body }) => body?.signed === true));
    }
  });

  test("leave for good or with their keys, once two people have agreed, and are spoken to no more", async () => {
    sold = report.meters.at(-1)?.meter as string;
    buyer = await otherUtility("New Utility", "NEW");
    const certified = new Set(report.meters.map(({ meter }) => meter));
    const retired = (await api.meters()).find(
      ({ systemTitle, takeover, role }) => takeover === "proven" && role === "home" && !certified.has(systemTitle),
    )?.systemTitle as string;
    await retire(meterkeep, api, retired, people);
    transfer = await sell(meterkeep, api, sold, people, buyer);
    await assertNeverContacted(meterkeep, api, [retired, sold]);
  });

  test("come back with the buyer's signature, are taken over and enrolled anew, and open with the keys of who had them no more", async () => {
    const file = Buffer.from(transfer.file, "base64url");
    const held = await buyer.open(file, transfer.sender);
    assert.deepEqual(
      held.map(({ systemTitle, holders }) => [systemTitle, holders.at(-1)]),
      [[sold, "Old Utility"]],
    );
    const { ecdhPublicKey, mlkemPublicKey } = await api.call("recipient");
    const [ecdh, mlkem] = [ecdhPublicKey, mlkemPublicKey].map((key) => Buffer.from(key, "base64url"));
    const back = buyer.give(held, { ecdh: ecdh as Buffer, mlkem: mlkem as Buffer });
    // Who may sign shipments is what the installation's owner says, at a start.
    const { ports } = meterkeep;
    await meterkeep.stop();
    trust({ stateDirectory }, buyer);
    meterkeep = await startMeterkeep({ ...options, ports });
    const { identity, takeover } = await takeBack(meterkeep, sold, back, people);
    assert.deepEqual(identity?.holders.slice(-2), ["Old Utility", "New Utility"]);
    const died = takeover.steps.find(({ step }) => step === "refuse-factory-keys");
    assert.equal(died?.state, "done", JSON.stringify(takeover));
    assert.match(takeover.sentence, /Old Utility or New Utility could have recorded the change/);
    // The keys that both owners had, tried by one of them at the meter's own door.
    const key = (purpose: number) =>
      held[0]?.keys.find((one) => one.purpose === purpose)?.key.lend((octets) => Buffer.from(octets).toString("hex"));
    const port = (await townControl(stateDirectory).truth()).find(({ systemTitle }) => systemTitle === sold)?.port;
    const keys = ["--key", key(0) ?? "", "--auth-key", key(2) ?? "", "--meter", sold, "--form", "general-global"];
    // A meter has one connection, and the head-end may have it for the moment.
    await until(
      "the meter has refused what they sealed",
      async () => {
        const { status, stdout, stderr } = await meterkeep.command(["read", `tcp://127.0.0.1:${port}`, ...keys]);
        assert.notEqual(status, 0, stdout);
        return /deciphering-error/.test(stderr);
      },
      PATIENCE,
    );
    const before = new Set(report.meters.find(({ meter }) => meter === sold)?.certificates.map(({ serial }) => serial));
    await until(
      `${sold} has certificates of its second life`,
      async () => {
        const { status, stdout } = await meterkeep.command(["keys", "certificates", "--json"]);
        const found =
          status === 0 ? (JSON.parse(stdout) as Certificates).meters.find(({ meter }) => meter === sold) : undefined;
        return found?.signs && found.certificates.every(({ serial }) => !before.has(serial));
      },
      PATIENCE,
    );
  });

  async function carryOut(who: readonly KeyHolder[], order: readonly string[]): Promise<void> {
    const view = (id: string): Promise<CampaignView> => api.call("campaign", { params: { id } });
    const asked = await said<CampaignView>(meterkeep, "command", "ask", ...order);
    const { id, state } = asked.campaign;
    assert.equal(state, "awaiting-approval", JSON.stringify(asked.dryRun));
    const people = await until(
      "the manifest is at the custodian",
      async () => (await view(id)).manifest?.people || undefined,
      PATIENCE,
    );
    await approve(meterkeep, asked.manifest?.hash ?? "", ...who.slice(0, people));
    const ended = await until(
      "the campaign has ended",
      async () => {
        const now = await view(id);
        return ["done", "stopped", "expired"].includes(now.campaign.state) && now;
      },
      PATIENCE,
    );
    assert.equal(ended.campaign.state, "done", JSON.stringify(ended));
  }
});
