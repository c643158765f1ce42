import assert from "node:assert/strict";
import { test } from "node:test";
import type { AdmittedPerson, Me, PersonLeft, PersonList, PersonView } from "@meterkeep/api";
import { CustodianCallError, type FieldReport } from "@meterkeep/api/custodian";
import { startTestServer, type TestPerson, type TestServer } from "../testing/test-server.ts";

const HOUR = 3_600_000;
const ADMINISTRATOR = ["administrator", "operator"] as const;

async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { code: string }).code;
}

function remove(server: TestServer, id: string, cookie: string): Promise<Response> {
  return fetch(`${server.url}/api/v1/people/${id}`, { method: "DELETE", headers: { cookie, origin: server.url } });
}

/** A custodian at which somebody may approve and holds a handheld, and which remembers what it was asked. */
function standing(name: string, more: { readonly refuses?: boolean } = {}) {
  const asked: string[] = [];
  const approver = { roles: ["operations"], key: "passkey", credentialId: new Uint8Array(0), enrolledAt: 0 } as const;
  let suspended = false;
  const report: FieldReport = {
    handhelds: [{ handheld: "HH-7", keyId: "ab", technician: name, state: "enrolled" }],
    leases: [],
  };
  return {
    asked,
    custodian: {
      authorityState: async () => ({
        approvers: [
          { ...approver, id: "leaver", name, ...(suspended && { suspended: { since: 0, by: "test", reason: "" } }) },
        ],
        policyServices: [],
        thresholds: "",
        founding: false,
        page: "",
        counts: { day: 0, dayCap: 0, tenMinutes: 0, tenMinutesCap: 0 },
        unsettled: 0,
      }),
      fieldReport: async () => ({ report: JSON.stringify(report) }),
      suspendApprover: async ({ approver: id, reason }: { approver: string; reason: string }) => {
        asked.push(`suspend ${id}: ${reason}`);
        if (more.refuses === true) throw new CustodianCallError("change-refused", "fewer than 2 people would be left");
        suspended = true;
        return {};
      },
      loseHandheld: async ({ handheld }: { handheld: string }) => {
        asked.push(`lose ${handheld}`);
        return { report: "{}" };
      },
    },
  };
}

async function stateOf(server: TestServer, of: TestPerson, by: TestPerson): Promise<PersonView | undefined> {
  const { people } = (await (await server.get("/api/v1/people", { cookie: by.cookie })).json()) as PersonList;
  return people.find(({ id }) => id === of.id);
}

test("somebody who leaves is gone in one act: sessions, links, passkeys, tokens, approving and borrowed keys", async () => {
  const { asked, custodian } = standing("Lea");
  await using server = await startTestServer({ custodian });
  const [anna, lea] = [await server.person("Anna", ADMINISTRATOR), await server.person("Lea", ["administrator"])];
  const made = await server.post("/api/v1/tokens", { name: "hers", scope: "operate" }, { cookie: lea.cookie });
  const { token } = (await made.json()) as { token: string };
  const link = await server.context.logins.newLinkFor(lea.id, "admitted");
  const before = await stateOf(server, lea, anna);
  assert.deepEqual(
    [before?.sessions, before?.passkeys, before?.tokens, before?.approver, before?.handhelds],
    [1, 1, 1, "approver", ["HH-7"]],
  );
  const stream = await server.get("/api/v1/events", { cookie: lea.cookie });
  const ended = (await (await remove(server, lea.id, anna.cookie)).json()) as PersonLeft;
  assert.deepEqual(ended, {
    name: "Lea",
    sessions: 1,
    passkeys: 1,
    links: 1,
    tokens: 1,
    approver: "suspended",
    handhelds: ["HH-7"],
    undone: [],
  });
  assert.deepEqual(asked, ["suspend leaver: Lea has left", "lose HH-7"]);
  assert.match(await stream.text(), /retry/, "her stream has ended");
  assert.equal((await server.get("/api/v1/me", { cookie: lea.cookie })).status, 401);
  assert.equal((await server.get("/api/v1/me", { authorization: `Bearer ${token}` })).status, 401);
  assert.equal((await server.post("/api/v1/sign-in", { token: link })).status, 401);
  const offered = (await (await server.post("/api/v1/sign-in/passkey/options", undefined)).json()) as {
    challengeId: string;
    options: { challenge: string };
  };
  const response = lea.device.get(offered.options.challenge);
  const byPasskey = await server.post("/api/v1/sign-in/passkey", { challengeId: offered.challengeId, response });
  assert.equal(byPasskey.status, 401);
  const after = await stateOf(server, lea, anna);
  assert.deepEqual([after?.sessions, after?.passkeys, after?.tokens, after?.leftBy], [0, 0, 0, "Anna"]);
  assert.equal(
    await codeOf(await server.post(`/api/v1/people/${lea.id}/login`, undefined, { cookie: anna.cookie })),
    "person-unknown",
  );
});

test("what the custodian refuses or cannot be asked is said, and the same act goes on from there", async () => {
  const { asked, custodian } = standing("Lea", { refuses: true });
  let isUp = false;
  await using server = await startTestServer({
    custodian: {
      ...custodian,
      authorityState: () => (isUp ? custodian.authorityState() : Promise.reject(new Error("no answer"))),
    },
  });
  const [anna, lea] = [await server.person("Anna", ADMINISTRATOR), await server.person("Lea", ["auditor"])];
  const first = (await (await remove(server, lea.id, anna.cookie)).json()) as PersonLeft;
  assert.deepEqual([first.sessions, first.passkeys, first.approver, first.undone.length], [1, 1, "unknown", 1]);
  assert.equal((await server.get("/api/v1/me", { cookie: lea.cookie })).status, 401);
  isUp = true;
  const again = (await (await remove(server, lea.id, anna.cookie)).json()) as PersonLeft;
  assert.deepEqual([again.sessions, again.approver, again.handhelds], [0, "approver", ["HH-7"]]);
  assert.match(again.undone[0] ?? "", /may still approve as leaver: .*fewer than 2/);
  assert.deepEqual(asked, ["suspend leaver: Lea has left", "lose HH-7"]);
});

test("people are admitted with a link that works once, under a name that is nobody's, in roles that go together", async () => {
  await using server = await startTestServer();
  const { cookie } = await server.person("Anna", ADMINISTRATOR);
  const admit = (body: unknown) => server.post("/api/v1/people", body, { cookie });
  const { person, url } = (await (await admit({ name: "Ben", roles: ["approver"] })).json()) as AdmittedPerson;
  assert.deepEqual([person.name, person.roles, person.admittedBy], ["Ben", ["approver"], "Anna"]);
  const signedIn = await server.post("/api/v1/sign-in", { token: new URL(url).hash.slice(1) });
  assert.deepEqual(((await signedIn.json()) as Me).scopes, ["read", "release", "freeze"]);
  assert.equal(await codeOf(await admit({ name: "bEN", roles: ["auditor"] })), "person-exists");
  assert.equal(await codeOf(await admit({ name: "token of Ben", roles: ["auditor"] })), "person-exists");
  assert.equal(await codeOf(await admit({ name: "Cleo", roles: ["operator", "approver"] })), "roles-apart");
  assert.equal(await codeOf(await admit({ name: "Cleo", roles: ["superuser"] })), "body-invalid");
  assert.equal(await codeOf(await admit({ name: "Cleo", roles: [] })), "body-invalid");
});

test("roles change at once, nobody changes their own, and somebody who admits people stays", async () => {
  await using server = await startTestServer();
  const anna = await server.person("Anna", ["administrator"]);
  const ben = await server.person("Ben", ["operator"]);
  const roles = (of: TestPerson, to: readonly string[]) =>
    server.post(`/api/v1/people/${of.id}/roles`, { roles: to }, { cookie: anna.cookie });
  assert.equal((await roles(ben, ["auditor"])).status, 200);
  const { scopes } = (await (await server.get("/api/v1/me", { cookie: ben.cookie })).json()) as Me;
  assert.deepEqual(scopes, ["read"]);
  assert.equal(await codeOf(await roles(anna, ["administrator", "operator"])), "not-allowed");
  assert.equal(await codeOf(await remove(server, anna.id, anna.cookie)), "not-allowed");
  assert.equal(await codeOf(await roles(ben, ["auditor", "operator"])), "roles-apart");
  await assert.rejects(server.context.people.changeRoles(anna.id, ["auditor"]), { code: "person-last" });
  await assert.rejects(server.context.people.dismiss(anna.id, "owner"), { code: "person-last" });
  const two = await server.person("Cleo", ["administrator"]);
  // Each lets the other go at one moment: one of them stays.
  const both = await Promise.allSettled([
    server.context.people.dismiss(anna.id, "Cleo"),
    server.context.people.dismiss(two.id, "Anna"),
  ]);
  assert.deepEqual(both.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
});

test("a stolen session gives itself no passkey, and a challenge for one thing answers no other", async () => {
  await using server = await startTestServer();
  const anna = await server.person("Anna", ["administrator"]);
  server.pass(2 * HOUR);
  const { cookie } = anna;
  assert.equal(await codeOf(await server.post("/api/v1/passkeys/options", undefined, { cookie })), "step-up-required");
  const bare = await server.context.people.admit({ name: "Bare", roles: ["auditor"] }, "test");
  const late = await server.post("/api/v1/sign-in", {
    token: await server.context.logins.newLinkFor(bare.id, "admitted"),
  });
  const bareCookie = (late.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
  server.pass(2 * HOUR);
  assert.equal(
    await codeOf(await server.post("/api/v1/passkeys/options", undefined, { cookie: bareCookie })),
    "not-allowed",
  );
  const begun = await server.post("/api/v1/sign-in/passkey/options", undefined);
  const { challengeId, options } = (await begun.json()) as { challengeId: string; options: { challenge: string } };
  const response = anna.device.get(options.challenge);
  assert.equal(
    await codeOf(await server.post("/api/v1/step-up", { challengeId, response }, { cookie })),
    "sign-in-refused",
  );
});
