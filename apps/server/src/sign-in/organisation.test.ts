import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Me } from "@meterkeep/api";
import { type IdentityProvider, type Misdeeds, startIdentityProvider } from "../testing/identity-provider.ts";
import { startTestServer, type TestServer } from "../testing/test-server.ts";

const SECRET = "a secret of the client";

let provider: IdentityProvider;
let server: TestServer;
before(async () => {
  provider = await startIdentityProvider(SECRET);
  const organisation = { name: "Town Works", issuer: provider.issuer, clientId: "meterkeep", clientSecret: SECRET };
  server = await startTestServer({ organisation });
  await server.context.people.admit({ name: "Olga", roles: ["operator"], subject: "works|olga" }, "test");
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await provider[Symbol.asyncDispose]();
});

/** Goes to the provider as a browser does, and comes back with what it answered. */
async function toAndFro(): Promise<{ readonly cookie: string; readonly answer: string }> {
  const begun = await server.post("/api/v1/sign-in/organisation/options", undefined);
  assert.equal(begun.status, 200, await begun.clone().text());
  const cookie = /meterkeep_signing_in=[^;]+/.exec(begun.headers.get("set-cookie") ?? "")?.[0] ?? "";
  const { address } = (await begun.json()) as { address: string };
  const sent = await fetch(address, { redirect: "manual" });
  const back = new URL(sent.headers.get("location") ?? "");
  assert.equal(back.pathname, "/sign-in/organisation");
  return { cookie, answer: back.search };
}

const bring = (answer: string, cookie: string): Promise<Response> =>
  server.post("/api/v1/sign-in/organisation", { answer }, { cookie });

async function codeOf(response: Response): Promise<string> {
  return ((await response.json()) as { code: string }).code;
}

test("whoever was admitted by the provider's name for them is signed in, and has proven no passkey by it", async () => {
  assert.deepEqual(await (await server.get("/api/v1/sign-in")).json(), { organisation: "Town Works" });
  provider.subject = "works|olga";
  const { cookie, answer } = await toAndFro();
  const response = await bring(answer, cookie);
  assert.equal(response.status, 200, await response.clone().text());
  const me = (await response.json()) as Me;
  assert.deepEqual([me.name, me.roles, me.steppedUpUntil], ["Olga", ["operator"], undefined]);
  const session = response.headers.getSetCookie().find((text) => text.startsWith("meterkeep_session=")) ?? "";
  assert.match(session, /HttpOnly; SameSite=Strict/);
  const signedIn = await server.get("/api/v1/me", { cookie: session.split(";")[0] ?? "" });
  assert.equal(signedIn.status, 200);
  const ledger = (await (
    await server.get("/api/v1/ledger?source=head-end&limit=1", { cookie: session.split(";")[0] ?? "" })
  ).json()) as { entries: { kind: string; body: string }[] };
  assert.match(ledger.entries[0]?.body ?? "", /works\|olga/);
});

test("an answer is good once, for the browser that asked, and only with its own state", async () => {
  const first = await toAndFro();
  assert.equal((await bring(first.answer, first.cookie)).status, 200);
  assert.equal(await codeOf(await bring(first.answer, first.cookie)), "sign-in-refused");
  const [mine, yours] = [await toAndFro(), await toAndFro()];
  assert.equal(await codeOf(await bring(yours.answer, mine.cookie)), "sign-in-refused");
  assert.equal(await codeOf(await bring(yours.answer, "")), "sign-in-refused");
});

test("somebody whom nobody admitted learns as whom they would have to be", async () => {
  provider.subject = "works|stranger";
  const { cookie, answer } = await toAndFro();
  const response = await bring(answer, cookie);
  assert.equal(response.status, 401);
  assert.match(await response.text(), /works\|stranger/);
  provider.subject = "works|olga";
});

const HOSTILE: Readonly<Record<string, Misdeeds>> = {
  "for another client": { claims: { aud: "another" } },
  "of another issuer": { claims: { iss: "https://elsewhere.example" } },
  "with the nonce of another sign-in": { claims: { nonce: "another" } },
  "that has expired": { claims: { exp: 1_000_000 } },
  "of a key that it does not publish": { foreignKey: true },
  "without a signature": { unsigned: true },
};

for (const [what, misdeeds] of Object.entries(HOSTILE))
  test(`an ID token ${what} signs nobody in, and nothing is said why`, async () => {
    const { cookie, answer } = await toAndFro();
    provider.misdeeds = misdeeds;
    try {
      const response = await bring(answer, cookie);
      assert.equal(response.status, 401);
      const { detail } = (await response.json()) as { detail: string };
      assert.equal(detail, "this sign-in was not accepted; begin anew");
    } finally {
      provider.misdeeds = {};
    }
  });

test("a leaver's subject signs in no more, and a provider that is down is said to be", async () => {
  const leaver = await server.context.people.admit({ name: "Otto", roles: ["auditor"], subject: "works|otto" }, "test");
  await server.context.people.admit({ name: "Stays", roles: ["administrator"] }, "test");
  await server.context.people.dismiss(leaver.id, "test");
  provider.subject = "works|otto";
  const { cookie, answer } = await toAndFro();
  assert.equal((await bring(answer, cookie)).status, 401);
  await using lonely = await startTestServer({
    organisation: { name: "Gone", issuer: "http://127.0.0.1:9", clientId: "meterkeep" },
  });
  const begun = await lonely.post("/api/v1/sign-in/organisation/options", undefined);
  assert.deepEqual([begun.status, await codeOf(begun)], [503, "organisation-unavailable"]);
});
