import assert from "node:assert/strict";
import { test } from "node:test";
import { pkiAddressOf, pkiLimitsOf, resolveOptions } from "./start-config.ts";

test("an option counts before its variable, and that before the default", () => {
  const env = { METERKEEP_METERS: "7", METERKEEP_PUSH_PORT: "5000" };
  const config = resolveOptions({ meters: "9" }, env);
  assert.deepEqual([config.meters, config.pushPort, config.port], [9, 5000, 8420]);
  assert.deepEqual([...config.said], ["meters", "pushPort"]);
});

test("DATABASE_URL names the server unless Meterkeep's own variable does", () => {
  const url = "postgres://u@h/d";
  assert.equal(resolveOptions({}, { DATABASE_URL: url }).databaseUrl, url);
  assert.equal(
    resolveOptions({}, { DATABASE_URL: url, METERKEEP_DATABASE_URL: "postgres://v@h/d" }).databaseUrl,
    "postgres://v@h/d",
  );
  assert.equal(resolveOptions({}, {}).databaseUrl, undefined);
});

test("a value that does not fit is refused by the name it was given under", () => {
  const refused = (given: Record<string, string>, env: Record<string, string>, message: RegExp): void =>
    assert.throws(() => resolveOptions(given, env), { code: "option-invalid", message });
  refused({ meters: "0" }, {}, /^--meters must be a number from 1 to 20000 \(homes\), not 0$/);
  refused({}, { METERKEEP_PORT: "web" }, /^METERKEEP_PORT must be a number/);
  refused({ pushPort: "1.5" }, {}, /^--push-port/);
  refused({ listen: "everywhere" }, {}, /^--listen must be an IP address/);
  refused({ databaseSuffix: "a;b" }, {}, /^--database-suffix/);
});

test("what the PKI publishes and whom it bounds is said at the start, and nonsense refused", () => {
  const config = resolveOptions(
    { pkiAddress: "http://pki.example/pki", pkiLimits: "operator=100000, est:CN=dc-7=10" },
    {},
  );
  assert.equal(pkiAddressOf(config), "http://pki.example/pki");
  assert.deepEqual(pkiLimitsOf(config), [
    { requester: "operator", perDay: 100_000 },
    { requester: "est:CN=dc-7", perDay: 10 },
  ]);
  assert.deepEqual([pkiAddressOf(resolveOptions({}, {})), pkiLimitsOf(resolveOptions({}, {}))], [undefined, []]);
  for (const pkiAddress of [
    "pki.example",
    "http://pki.example/pki/",
    "ftp://pki.example/pki",
    "http://pki example/pki",
  ])
    assert.throws(() => resolveOptions({ pkiAddress }, {}), /^CliError: --pki-address/, pkiAddress);
  for (const pkiLimits of ["operator", "operator=", "=5", "operator=-1", "operator=1;2"])
    assert.throws(() => resolveOptions({ pkiLimits }, {}), /^CliError: --pki-limits/, pkiLimits);
});
