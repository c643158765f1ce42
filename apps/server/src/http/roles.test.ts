import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  API_PREFIX,
  HTTP_ROUTES,
  ROLE_NAMES,
  ROLES,
  type RoleName,
  type Route,
  rolesApart,
  SCOPES,
  scopesOfRoles,
} from "@meterkeep/api";
import { startTestServer, type TestServer } from "../testing/test-server.ts";
import { STEP_UP_MILLISECONDS } from "./login.ts";

const ROUTES = Object.entries<Route>(HTTP_ROUTES);
/** A first passkey takes a fresh sign-in and any other a fresh passkey: its handler knows which. */
const ASKS_ITSELF: ReadonlySet<string> = new Set(["passkeyOptions", "createPasskey", "stepUpOptions"]);
/** The stream has no end, and after these two nobody is signed in any more. */
const NOT_WALKED: ReadonlySet<string> = new Set(["events", "signOut"]);

let server: TestServer;
before(async () => {
  server = await startTestServer();
});
after(() => server[Symbol.asyncDispose]());

function pathOf(route: Route): string {
  return (
    API_PREFIX +
    route.path
      .replace(/:(systemTitle|meter)\b/, "4D4B560000000001")
      .replace(/:id\b/, "00000000-0000-4000-8000-000000000000")
      .replace(/:hash\b/, "0".repeat(64))
  );
}

/** Asks a route with nothing in it: what comes back says whether the door was open. */
async function codeOf(route: Route, headers: Record<string, string>): Promise<string | undefined> {
  const response = await fetch(server.url + pathOf(route), {
    method: route.method,
    headers: { ...headers, ...(route.body === undefined ? {} : { "content-type": "application/json" }) },
    ...(route.body === undefined ? {} : { body: "{}" }),
  });
  const answer = (await response.json().catch(() => ({}))) as { code?: string } | null;
  return answer?.code;
}

const CLOSED: ReadonlySet<string | undefined> = new Set(["not-allowed", "scope-missing", "step-up-required"]);

test("every route says who may call it and what it takes, and every scope opens something", () => {
  const taken = new Set<string>();
  for (const [id, { access, scope, stepUp }] of ROUTES) {
    const isOpen = access === "nobody-yet" || access === "owner";
    assert.equal(scope === undefined, isOpen, `${id} is ${access} and takes ${scope}`);
    if (stepUp === true) assert.ok(!isOpen, id);
    if (scope !== undefined) taken.add(scope);
  }
  assert.deepEqual(
    ["read", "operate", "tokens", "people"].filter((scope) => !taken.has(scope)),
    [],
  );
});

for (const role of ROLE_NAMES)
  test(`whoever is ${role} gets as far as the role, on every route of the table`, async () => {
    const { cookie } = await server.person(`Somebody who is ${role}`, [role]);
    const allowed: readonly string[] = ROLES[role].scopes;
    for (const [id, route] of ROUTES) {
      if (NOT_WALKED.has(id) || route.access === "nobody-yet") continue;
      const code = await codeOf(route, { cookie, origin: server.url });
      const isOpen = route.access !== "owner" && route.scope !== undefined && allowed.includes(route.scope);
      // What is asked for in an empty request may be refused for other reasons, and nobody acts upon themselves.
      assert.equal(!CLOSED.has(code), isOpen, `${role}: ${id} answered ${code}`);
    }
  });

test("what is critical takes a passkey that was shown within five minutes", async () => {
  const { cookie } = await server.person("Late", ["administrator", "operator"]);
  server.pass(STEP_UP_MILLISECONDS + 1000);
  for (const [name, route] of ROUTES) {
    if (NOT_WALKED.has(name) || ASKS_ITSELF.has(name) || route.scope === undefined) continue;
    if (!scopesOfRoles(["administrator", "operator"]).includes(route.scope)) continue;
    const code = await codeOf(route, { cookie, origin: server.url });
    assert.equal(code === "step-up-required", route.stepUp === true, `${name} answered ${code}`);
  }
});

test("a role that somebody else's database invents opens nothing", () => {
  assert.deepEqual(scopesOfRoles(["superuser", "__proto__", "toString"]), []);
});

test("duties are apart both ways, and no role that goes together holds everything", () => {
  for (const role of ROLE_NAMES)
    for (const other of ROLES[role].apart as readonly RoleName[])
      assert.ok((ROLES[other].apart as readonly string[]).includes(role), `${role} and ${other}`);
  const sets = Array.from({ length: 2 ** ROLE_NAMES.length }, (_, bits) =>
    ROLE_NAMES.filter((_role, at) => (bits >> at) & 1),
  );
  for (const set of sets.filter((one) => rolesApart(one) === undefined)) {
    const scopes = scopesOfRoles(set);
    assert.ok(!(scopes.includes("request") && scopes.includes("release")), set.join(" and "));
    assert.ok(!(scopes.includes("people") && scopes.includes("release")), set.join(" and "));
    assert.ok(scopes.length < SCOPES.length, set.join(" and "));
  }
});
