import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { EnrolmentReport, EnrolmentState } from "@meterkeep/api/custodian";
import { ownerClient } from "../src/api-client.ts";
import { startMeterkeep } from "../src/start-meterkeep.ts";
import { until } from "../src/until.ts";

const METERS = 60;
const PATIENCE_MS = 240_000;

type Certificates = EnrolmentReport & {
  readonly meters: readonly (Omit<EnrolmentState, "meter"> & { meter: string })[];
};

test("meters of suites 1 and 2 are given certificates after their takeover, and are read by signature from then on", async (context: TestContext) => {
  await using meterkeep = await startMeterkeep({ meters: METERS, speed: 60 });
  const api = await ownerClient(meterkeep);
  const report = await until(
    "every meter that can hold certificates is enrolled",
    async () => {
      const { status, stdout } = await meterkeep.command(["keys", "certificates", "--json"]);
      const found = status === 0 ? (JSON.parse(stdout) as Certificates) : undefined;
      return found !== undefined && found.capable > 0 && found.enrolled === found.capable && found;
    },
    { patienceMs: PATIENCE_MS, everyMs: 1000 },
  );
  assert.deepEqual([...new Set(report.meters.map(({ suite }) => suite))].sort(), [1, 2]);
  for (const { meter, signs, certificates, sentence } of report.meters) {
    assert.ok(signs, sentence);
    assert.deepEqual(
      certificates.map(({ use, state }) => [use, state]),
      [
        ["digitalSignature", "proven"],
        ["keyAgreement", "proven"],
      ],
    );
    const enrolledAt = report.meters.find((one) => one.meter === meter)?.provenAt as number;
    await until(
      `${meter} is read after its enrolment`,
      async () => {
        const { lastSession, enrolment } = await api.call("meter", { params: { systemTitle: meter } });
        assert.equal(enrolment?.certificates.length, 2);
        if (lastSession === undefined) return false;
        const { session } = await api.call("session", { params: { id: lastSession } });
        return session.purpose === "read" && session.outcome === "done" && Date.parse(session.startedAt) > enrolledAt;
      },
      { patienceMs: PATIENCE_MS, everyMs: 1000 },
    );
  }
  context.diagnostic(`${report.enrolled} of ${METERS} homes have certificates`);
});
