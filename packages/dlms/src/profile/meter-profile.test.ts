import assert from "node:assert/strict";
import { test } from "node:test";
import { BUILT_IN_LAYOUTS } from "../telegram/built-in-layouts.ts";
import { parseLayoutFile } from "../telegram/layout-file.ts";
import { BUILT_IN_PROFILES } from "./built-in-profiles.ts";
import { clientOf, securityOf } from "./meter-profile.ts";
import { resolveProfile } from "./resolve-profile.ts";

const HEAD = { family: "Test", sources: ["nobody"] };
const parse = (profile: object) => parseLayoutFile({ ...HEAD, profiles: [{ id: "a", title: "A", ...profile }] });

test("every built-in profile stands on its own or on another, and names layouts that there are", () => {
  const ids = BUILT_IN_PROFILES.map(({ id }) => id);
  assert.deepEqual([...new Set(ids)], ids);
  const layouts = new Set(BUILT_IN_LAYOUTS.map(({ id }) => id));
  for (const { id } of BUILT_IN_PROFILES) {
    const profile = resolveProfile(id, BUILT_IN_PROFILES);
    for (const layout of profile.layouts ?? []) assert.ok(layouts.has(layout), `${id} ${layout}`);
  }
});

test("a profile inherits what it does not say, clients by name and objects one by one", () => {
  const metcom = resolveProfile("metcom-mcs", BUILT_IN_PROFILES);
  assert.equal(clientOf(metcom, "management")?.counter, "0-0:43.1.0");
  assert.equal(metcom.transport?.maxPduBytes, 1024);
  assert.ok(metcom.transport?.kinds.includes("mode-e"));
  assert.equal(metcom.objects?.["pushSetup"], "0-4:25.9.0");
  assert.equal(metcom.objects?.["loadProfile"], "1-0:99.1.0");
  const [parent, child] = [
    { id: "p", title: "P", clients: [{ name: "reading", sap: 2, authentication: "lls" as const }] },
    { id: "c", title: "C", extends: "p", clients: [{ name: "reading", sap: 3, authentication: "none" as const }] },
  ];
  assert.deepEqual(resolveProfile("c", [parent, child] as never).clients, child?.clients);
});

test("a profile that extends itself, or one that is not there, is refused by name", () => {
  const loop = [
    { id: "a", title: "A", extends: "b" },
    { id: "b", title: "B", extends: "a" },
  ];
  assert.throws(() => resolveProfile("a", loop), /extends itself/);
  assert.throws(() => resolveProfile("x", loop), /no meter profile "x"/);
  assert.throws(() => resolveProfile("a", loop.slice(0, 1)), /no meter profile "b", which a extends/);
});

test("protection is that of the current editions but for what a profile says", () => {
  assert.equal(securityOf({}).algorithmIdPrefix, "6085740508");
  assert.equal(securityOf(resolveProfile("gbcs", BUILT_IN_PROFILES)).algorithmIdPrefix, "6085740608");
  const [profile] = parse({ security: { signedContentLength: false } }).profiles;
  assert.ok(profile !== undefined);
  assert.equal(securityOf(profile).signedContentLength, false);
  assert.equal(securityOf(profile).authenticatedHeader, true);
});

test("what is wrong in a profile is named with its place", () => {
  const client = { name: "reading", sap: 2, authentication: "lls" };
  for (const [profile, message] of [
    [{ id: "A B" }, /^profiles\[0\]\.id must be lower-case/],
    [{ clients: [] }, /^profiles\[0\]\.clients must be a list that is not empty/],
    [{ clients: [{ ...client, sap: 128 }] }, /^profiles\[0\]\.clients\[0\]\.sap must be an integer from 1 to 127/],
    [
      { clients: [{ ...client, authentication: "password" }] },
      /^profiles\[0\]\.clients\[0\]\.authentication must be one of/,
    ],
    [{ clients: [client, { ...client, name: "other" }] }, /^profiles\[0\]\.clients\[1\] has the name or/],
    [
      { clients: [{ ...client, authentication: "hls-gmac" }] },
      /^profiles\[0\]\.clients\[0\]\.securitySetup is missing/,
    ],
    [{ clients: [{ ...client, counter: "43.1" }] }, /^profiles\[0\]\.clients\[0\]\.counter must be an OBIS code/],
    [{ ciphering: { suites: [3], header: "general" } }, /^profiles\[0\]\.ciphering\.suites\[0\] must be an integer/],
    [{ security: { algorithmIdPrefix: "00" } }, /^profiles\[0\]\.security\.algorithmIdPrefix must be one of/],
    [{ quirks: { wrongEverything: true } }, /^profiles\[0\]\.quirks\.wrongEverything is not a field/],
    [{ objects: { loadProfile: 7 } }, /^profiles\[0\]\.objects\.loadProfile must be an OBIS code/],
  ] as const)
    assert.throws(() => parse(profile), { code: "invalid-value", message });
  assert.throws(() => parseLayoutFile(HEAD), { message: /^layouts is missing, and so is profiles/ });
});
