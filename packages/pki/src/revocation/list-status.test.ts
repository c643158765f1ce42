import assert from "node:assert/strict";
import { test } from "node:test";
import { fromHex } from "@meterkeep/dlms";
import { issuingPoint, strangeList } from "../testing/strange-list.ts";
import { issueDevice, makeTree } from "../testing/test-tree.ts";
import { issueCrl } from "./crl.ts";
import { statusByLists } from "./list-status.ts";
import type { RevocationReason } from "./reasons.ts";

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

test("what an older list names stays revoked while that list is in force, save where a later delta takes it back", () => {
  const { issuing } = makeTree();
  const certificate = issueDevice(issuing, "technician", { subject: { names: { CN: "technician" } } });
  const times = { thisUpdate: AT, nextUpdate: NEXT } as const;
  const naming = (reason: RevocationReason) => [{ serial: certificate.serial, revokedAt: AT, reason }];
  const full = (number: bigint, ...reasons: RevocationReason[]) =>
    issueCrl(issuing, { number, ...times }, reasons.flatMap(naming));
  const delta = (number: bigint, since: bigint, ...reasons: RevocationReason[]) =>
    issueCrl(issuing, { number, since, ...times }, reasons.flatMap(naming));
  const kind = (...lists: Uint8Array[]) =>
    new Set([lists, lists.toReversed()].map((all) => statusByLists(certificate, issuing.certificate, all, AT).kind));
  const revoked = new Set(["revoked"]);
  const good = new Set(["good"]);
  assert.deepEqual(kind(full(5n, "keyCompromise"), full(7n)), revoked);
  assert.deepEqual(kind(full(5n, "keyCompromise"), full(7n), delta(8n, 7n)), revoked);
  assert.deepEqual(kind(full(5n), delta(6n, 5n, "keyCompromise"), delta(7n, 5n)), revoked);
  assert.deepEqual(kind(full(5n, "keyCompromise"), delta(6n, 5n, "removeFromCRL")), good);
  assert.deepEqual(kind(full(7n, "keyCompromise"), delta(6n, 5n, "removeFromCRL")), revoked, "not by one before it");
  assert.deepEqual(kind(full(5n, "certificateHold"), full(7n)), good);
  assert.deepEqual(kind(full(5n, "certificateHold"), full(7n, "certificateHold")), revoked);
  assert.deepEqual(kind(delta(6n, 5n)), new Set(["unknown"]));
});

test("a list about a part that is named by no address calls nothing good, and neither does one that says a thing twice", () => {
  const { issuing } = makeTree();
  const certificate = issueDevice(issuing, "technician", { subject: { names: { CN: "technician" } } });
  const directory = issuingPoint(fromHex("a012a010a40e300c310a300806035504030c0178"));
  const everything = issuingPoint(fromHex(""));
  const status = (...own: Uint8Array[]) =>
    statusByLists(certificate, issuing.certificate, [strangeList(issuing, { revoked: [], own })], AT);
  assert.deepEqual(status(), { kind: "good" });
  assert.deepEqual(status(everything), { kind: "good" });
  assert.match(JSON.stringify(status(directory)), /unknown.*part that is named by directoryName/);
  assert.match(JSON.stringify(status(everything, directory)), /unknown.*is there twice/);
});
