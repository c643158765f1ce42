import assert from "node:assert/strict";
import { test } from "node:test";
import type { CertificateView, Custodian } from "@meterkeep/api/custodian";
import { certificatesOfWorker } from "./enrol.ts";

test("a worker that is removed loses what a row calls expired or only ordered as well", async () => {
  const row = (subject: string, state: CertificateView["state"], profile = "worker") =>
    ({ subject, state, profile, authority: "aa", serial: state, notAfter: 0 }) as CertificateView;
  const rows = [
    row("CN=w1", "valid"),
    row("CN=w1", "expired"),
    row("CN=w1", "ordered"),
    row("CN=w1", "revoked"),
    row("CN=w1", "valid", "technician"),
    row("CN=w11", "valid"),
  ];
  const searchCertificates: Custodian["searchCertificates"] = async ({ subject, state }) => ({
    certificates: rows.filter(
      (one) => one.subject.startsWith(subject ?? "") && (state === undefined || one.state === state),
    ),
  });
  const own = await certificatesOfWorker({ searchCertificates }, "w1");
  assert.deepEqual(
    own.map(({ state }) => state),
    ["valid", "expired", "ordered"],
  );
});
