import assert from "node:assert/strict";
import { test } from "node:test";
import type { CustodianSummary } from "@meterkeep/api";
import { currentWarnings } from "./warnings.ts";

const CONFIG = { warnings: [], pushHost: "127.0.0.1" };
const SUMMARY: CustodianSummary = { reachable: true, separateUser: true, asOf: "2026-11-21T12:00:00.000Z" };

test("a root key of which nobody has noted a copy is warned of as what it is: a file to back up, a passphrase to keep, tokens to have two of", () => {
  for (const [rootKey, text, fix] of [
    ["file", /lies in a file/, /Back up custodian\/root\.key .* vault rewrap --to-passphrase-file/],
    ["passphrase", /passphrase is kept in a second place/, /Keep the passphrase/],
    ["tokens", /inside the tokens/, /second token/],
  ] as const) {
    const [warning, ...others] = currentWarnings(CONFIG, { ...SUMMARY, rootKey, rootKeyCopied: false });
    assert.deepEqual([warning?.code, others], ["root-key-uncopied", []]);
    assert.match(warning?.text ?? "", text);
    assert.match(warning?.fix ?? "", fix);
  }
  assert.deepEqual(currentWarnings(CONFIG, { ...SUMMARY, rootKey: "tokens", rootKeyCopied: true }), []);
});

test("as long as nobody is enrolled to approve, the page asks for that", () => {
  const [warning, ...others] = currentWarnings(CONFIG, { ...SUMMARY, founding: true });
  assert.deepEqual([warning?.code, others], ["nobody-approves", []]);
  assert.match(warning?.fix ?? "", /npx meterkeep approvers invite/);
  assert.deepEqual(currentWarnings(CONFIG, { ...SUMMARY, founding: false }), []);
});

test("a custodian that is away is warned of, and a push port beyond this machine", () => {
  const codes = currentWarnings({ ...CONFIG, pushHost: "192.0.2.1" }, { ...SUMMARY, reachable: false }).map(
    ({ code }) => code,
  );
  assert.deepEqual(codes, ["custodian-unreachable", "push-port-open"]);
});
