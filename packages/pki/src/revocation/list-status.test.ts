import assert from "node:assert/strict";
import { test } from "node:test";
import { issueDevice, makeTree } from "../testing/test-tree.ts";
import { issueCrl } from "./crl.ts";
import { statusByLists } from "./list-status.ts";

const AT = new Date(Date.UTC(2026, 10, 22));
const NEXT = new Date(Date.UTC(2026, 10, 23));

test("the delta of a shard beside a list over everything is heard, and stops nothing", () => {
  const { issuing } = makeTree();
  const shard = "http://lists.example/7.crl";
  const point = { distributionPoints: [shard], subject: { names: { CN: "technician" } } } as const;
  const certificate = issueDevice(issuing, "technician", point);
  const times = { thisUpdate: AT, nextUpdate: NEXT } as const;
  const full = issueCrl(issuing, { number: 5n, ...times }, []);
  const entry = { serial: certificate.serial, revokedAt: AT, reason: "keyCompromise" } as const;
  const deltaOf = (...entries: (typeof entry)[]) =>
    issueCrl(issuing, { number: 6n, since: 5n, shard, ...times }, entries);
  const status = (...lists: Uint8Array[]) => statusByLists(certificate, issuing.certificate, lists, AT);
  assert.deepEqual(status(full, deltaOf()), { kind: "good" });
  assert.equal(status(full, deltaOf(entry)).kind, "revoked");
});
