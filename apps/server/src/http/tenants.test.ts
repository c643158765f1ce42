import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { API_PREFIX, type CampaignView, HTTP_ROUTES, type Route } from "@meterkeep/api";
import { startTestServer, type TestPerson, type TestServer } from "../testing/test-server.ts";

const METER = "4D4B560000000042";
const SEALED = { alg: "ECDH-P384/HKDF-SHA384/A256GCM", recipient: "ab", epk: "AA", nonce: "AA", sealed: "AA" };
/** Words that are the first utility's, wherever they show up. */
const THEIRS = /4D4B560000000042|Their own meter|Anna of the first|their program/;

let first: TestServer;
let second: TestServer;
let anna: TestPerson;
let token: string;
let tokenId: string;
let campaignId: string;
/** Of the second: everything that one person may hold, one after the other. */
let theirs: readonly TestPerson[];

before(async () => {
  first = await startTestServer();
  second = await startTestServer({ beside: first });
  anna = await first.person("Anna of the first", ["administrator", "operator"]);
  const { cookie } = anna;
  await first.post(
    `${API_PREFIX}/meters`,
    { systemTitle: METER, label: "Their own meter", sealed: SEALED },
    { cookie },
  );
  const made = await first.post(`${API_PREFIX}/tokens`, { name: "their program", scope: "admin" }, { cookie });
  ({
    token,
    record: { id: tokenId },
  } = (await made.json()) as { token: string; record: { id: string } });
  // A home of theirs, for which somebody asks, and which is on the register.
  await first.context.pool.query("update meters set role = 'home'");
  const order = { operation: "reconnect", selection: { kind: "list", meters: [METER] }, reason: "restore" };
  const asked = await first.post(`${API_PREFIX}/commands`, order, { cookie });
  campaignId = ((await asked.json()) as CampaignView).campaign.id;
  const site = { meter: METER, kind: "hospital", note: "their program" };
  assert.equal((await first.post(`${API_PREFIX}/protected-sites`, site, { cookie })).status, 201);
  theirs = [
    await second.person("Berta", ["administrator", "operator"]),
    await second.person("Carl", ["approver"]),
    await second.person("Dora", ["auditor"]),
  ];
});
after(async () => {
  await second[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
});

test("both utilities are in one database, and each has what is its own", async () => {
  const { cookie } = anna;
  const own = await (await first.get(`${API_PREFIX}/meters`, { cookie })).text();
  assert.match(own, THEIRS);
  const { rows } = await second.context.pool.query("select count(*)::int from people");
  assert.deepEqual(rows, [{ count: 4 }]);
});

test("whoever signed in with one utility is nobody to the other, by cookie, by token and by passkey", async () => {
  assert.equal((await second.get(`${API_PREFIX}/me`, { cookie: anna.cookie })).status, 401);
  assert.equal((await second.get(`${API_PREFIX}/me`, { authorization: `Bearer ${token}` })).status, 401);
  const begun = await second.post(`${API_PREFIX}/sign-in/passkey/options`, undefined);
  const { challengeId, options } = (await begun.json()) as { challengeId: string; options: { challenge: string } };
  const response = anna.device.get(options.challenge);
  assert.equal((await second.post(`${API_PREFIX}/sign-in/passkey`, { challengeId, response })).status, 401);
  for (const { cookie } of theirs) assert.equal((await first.get(`${API_PREFIX}/me`, { cookie })).status, 401);
});

test("no route of the second utility shows anything of the first, to whatever role", async () => {
  for (const { name, cookie } of theirs)
    for (const [id, route] of Object.entries<Route>(HTTP_ROUTES)) {
      if (route.method !== "GET" || id === "events") continue;
      const path = route.path
        .replace(/:(systemTitle|meter)\b/, METER)
        .replace(/:id\b/, route.path.startsWith("/campaigns") ? campaignId : anna.id)
        .replace(/:hash\b/, "0".repeat(64));
      const query = id.startsWith("export") ? "?format=csv&from=2020-01-01T00:00:00Z&to=2030-01-01T00:00:00Z" : "";
      const sources = id === "ledger" ? ["?source=head-end", "?source=custodian"] : [query];
      for (const search of sources) {
        const answer = await (await second.get(API_PREFIX + path + search, { cookie })).text();
        // A refusal says the id that it was asked for, and nothing that the asker did not know.
        const told = answer.replaceAll(METER, route.path.includes(":") ? "asked" : METER);
        assert.doesNotMatch(told, THEIRS, `${name}: ${id}${search}`);
      }
    }
});

test("nothing of the first can be changed by the second", async () => {
  const [berta] = theirs;
  assert.ok(berta);
  const { cookie } = berta;
  const asked: readonly (readonly [string, string, unknown])[] = [
    ["DELETE", `/tokens/${tokenId}`, undefined],
    ["DELETE", `/people/${anna.id}`, undefined],
    ["POST", `/people/${anna.id}/roles`, { roles: ["auditor"] }],
    ["POST", `/people/${anna.id}/login`, undefined],
    ["POST", `/campaigns/${campaignId}/stop`, { reason: "mine" }],
    ["POST", "/protected-sites", { meter: METER, kind: "other" }],
  ];
  for (const [method, path, body] of asked) {
    const { status } = await fetch(second.url + API_PREFIX + path, {
      method,
      headers: { cookie, origin: second.url, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    assert.equal(status, 404, `${method} ${path}`);
  }
  assert.equal((await first.get(`${API_PREFIX}/me`, { authorization: `Bearer ${token}` })).status, 200);
  assert.equal((await first.get(`${API_PREFIX}/me`, { cookie: anna.cookie })).status, 200);
  // The same name is somebody else there.
  const namesake = await second.post(
    `${API_PREFIX}/people`,
    { name: "Anna of the first", roles: ["auditor"] },
    { cookie },
  );
  assert.equal(namesake.status, 201);
});
