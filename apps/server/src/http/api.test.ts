import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, test } from "node:test";
import {
  API_PREFIX,
  HTTP_PROBLEMS,
  HTTP_ROUTES,
  type MeterList,
  OVERVIEW_MOST_METERS,
  type Overview,
  type Problem,
  type Route,
  TOKEN_SCOPE_NAMES,
  TOKEN_SCOPES,
} from "@meterkeep/api";
import { refreshStatistics } from "@meterkeep/headend";
import { startTestServer, type TestServer } from "../testing/test-server.ts";
import { docsPage } from "./docs-page.ts";

const METER = "4D4B560000000001";
const SEALED = { alg: "ECDH-P384/HKDF-SHA384/A256GCM", recipient: "ab", epk: "AA", nonce: "AA", sealed: "AA" };

let server: TestServer;
/** A login that every test may read with: so many are let in a minute, and no more. */
let reader: string;
before(async () => {
  server = await startTestServer();
  reader = await server.signIn();
});
after(() => server[Symbol.asyncDispose]());

let administrators = 0;

/** Somebody new who may do what is critical just now. */
async function administrator(): Promise<string> {
  administrators += 1;
  return (await server.person(`Administrator number ${administrators}`, ["administrator", "operator"])).cookie;
}

async function problem(response: Response): Promise<Problem> {
  assert.match(response.headers.get("content-type") ?? "", /^application\/problem\+json/);
  return (await response.json()) as Problem;
}

/** A path of the table with something in the place of every parameter. */
function example(route: Route): string {
  return (
    API_PREFIX +
    route.path
      .replace(":systemTitle", METER)
      .replace(":id", "00000000-0000-4000-8000-000000000000")
      .replace(":hash", "0".repeat(64))
  );
}

/** What `fetch` will not do: send a Host header of our choice. */
function rawStatus(path: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    request({ hostname, port, path, headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    })
      .on("error", reject)
      .end();
  });
}

test("nothing of the API is reachable without a login, save signing in and health", async () => {
  for (const route of Object.values<Route>(HTTP_ROUTES)) {
    const response = await fetch(server.url + example(route), {
      method: route.method,
      headers: { origin: server.url, ...(route.body === undefined ? {} : { "content-type": "application/json" }) },
      ...(route.body === undefined ? {} : { body: "{}" }),
    });
    if (route.access !== "nobody-yet") {
      assert.equal(response.status, 401, `${route.method} ${route.path}`);
      assert.equal((await problem(response)).code, "sign-in-required");
    }
  }
  for (const path of [
    "/metrics",
    "/api/docs",
    "/api/docs/style.css",
    "/api/openapi.json",
    "/api/v1/nothing",
    "/api/nothing",
  ])
    assert.equal((await server.get(path)).status, 401, path);
  assert.deepEqual(await (await server.get("/healthz")).json(), { status: "ok" });
});

test("neither a wrong cookie nor a wrong token is a login", async () => {
  assert.equal((await server.get("/api/v1/me", { cookie: `meterkeep_session=mkc_${"A".repeat(43)}` })).status, 401);
  assert.equal((await server.get("/api/v1/me", { authorization: `Bearer mkt_${"A".repeat(43)}` })).status, 401);
  assert.equal((await server.get("/api/v1/me", { authorization: "Bearer ' or 1=1" })).status, 401);
});

test("a sign-in link works once, and its cookie is for this site and for no script", async () => {
  const token = await server.context.logins.newLink("first-start");
  const first = await server.post("/api/v1/sign-in", { token });
  assert.equal(first.status, 200);
  const cookie = first.headers.get("set-cookie") ?? "";
  assert.match(cookie, /; Path=\/; .*HttpOnly; SameSite=Strict/i);
  assert.doesNotMatch(cookie, /Domain/i);
  // Over http the page is on localhost alone, where some browsers drop what is marked Secure.
  assert.doesNotMatch(cookie, /Secure/i);
  const second = await server.post("/api/v1/sign-in", { token });
  assert.equal(second.status, 401);
  assert.equal((await problem(second)).code, "sign-in-refused");
});

test("a new link ends the one before, and signing out ends the session", async () => {
  const old = await server.context.logins.newLink("first-start");
  const cookie = await server.signIn();
  assert.equal((await server.post("/api/v1/sign-in", { token: old })).status, 401);
  assert.equal((await server.get("/api/v1/me", { cookie })).status, 200);
  assert.equal((await server.post("/api/v1/sign-out", undefined, { cookie })).status, 204);
  assert.equal((await server.get("/api/v1/me", { cookie })).status, 401);
});

test("over https the cookie is for https alone", async () => {
  await using other = await startTestServer();
  (other.context.config as { url: string }).url = "https://localhost:8420";
  const response = await other.post("/api/v1/sign-in", { token: await other.context.logins.newLink("first-start") });
  assert.match(response.headers.get("set-cookie") ?? "", /; HttpOnly; Secure; SameSite=Strict/i);
});

test("guessing sign-in links is slowed down", async () => {
  await using other = await startTestServer();
  const statuses: number[] = [];
  for (let n = 0; n < 25; n += 1)
    statuses.push((await other.post("/api/v1/sign-in", { token: `mks_${"A".repeat(40)}${n}` })).status);
  assert.ok(statuses.includes(429));
  assert.equal(statuses[0], 401);
});

test("a machine's token reads, and makes neither tokens nor links", async () => {
  const cookie = await administrator();
  const made = await server.post("/api/v1/tokens", { name: "billing" }, { cookie });
  assert.equal(made.status, 201);
  const { token, record } = (await made.json()) as { token: string; record: { id: string } };
  const bearer = { authorization: `Bearer ${token}` };
  assert.deepEqual(((await (await server.get("/api/v1/me", bearer)).json()) as { kind: string }).kind, "machine");
  const metrics = await server.get("/metrics", bearer);
  assert.equal(metrics.status, 200);
  assert.match(await metrics.text(), /^meterkeep_custodian_refusals\{kind="seal-budget"\} 1$/m);
  assert.equal((await problem(await server.post("/api/v1/tokens", { name: "x" }, bearer))).code, "not-allowed");
  assert.equal((await problem(await server.post("/api/v1/admin/sign-in-link", undefined, bearer))).code, "not-allowed");
  const listed = await (await server.get("/api/v1/tokens", { cookie })).text();
  assert.ok(!listed.includes(token));
  const withdrawn = await fetch(`${server.url}/api/v1/tokens/${record.id}`, {
    method: "DELETE",
    headers: { cookie, origin: server.url },
  });
  assert.equal(withdrawn.status, 204);
  assert.equal((await server.get("/api/v1/me", bearer)).status, 401);
});

test("a token reaches as far as its scope, on every route of the table", async () => {
  const cookie = await administrator();
  for (const scope of TOKEN_SCOPE_NAMES) {
    const made = await server.post("/api/v1/tokens", { name: scope, scope }, { cookie });
    const { token, record } = (await made.json()) as { token: string; record: { scope: string } };
    assert.equal(record.scope, scope);
    const authorization = `Bearer ${token}`;
    for (const [id, route] of Object.entries<Route>(HTTP_ROUTES)) {
      if (route.access === "nobody-yet" || id === "events") continue;
      const response = await fetch(server.url + example(route), {
        method: route.method,
        headers: { authorization, ...(route.body === undefined ? {} : { "content-type": "application/json" }) },
        ...(route.body === undefined ? {} : { body: "{}" }),
      });
      const { code } = (await response.json().catch(() => ({}))) as { code?: string };
      const refused = code === "scope-missing" || code === "not-allowed";
      const isOpen =
        route.access === "anyone" &&
        route.scope !== undefined &&
        (TOKEN_SCOPES[scope] as readonly string[]).includes(route.scope);
      assert.equal(refused, !isOpen, `${scope}: ${route.method} ${route.path} answered ${response.status} ${code}`);
    }
  }
});

test("who asks for no scope gets a token that only reads", async () => {
  const cookie = await administrator();
  const made = await server.post("/api/v1/tokens", { name: "least" }, { cookie });
  assert.equal(((await made.json()) as { record: { scope: string } }).record.scope, "read");
});

test("a gateway's address that is not in a permitted network is refused with a code of its own", async () => {
  const body = { systemTitle: "4D4B560000000077", label: "Gateway", sealed: SEALED };
  for (const source of ["tcp://127.0.0.1:5432", "tcp://[::1]:22", "tcp://169.254.169.254:80", "tcp://8.8.8.8:53"]) {
    const answer = await problem(await server.post("/api/v1/meters", { ...body, source }, { cookie: reader }));
    assert.deepEqual([answer.status, answer.code], [422, "gateway-refused"], source);
  }
  assert.equal((await server.get("/api/v1/meters/4D4B560000000077", { cookie: reader })).status, 404);
});

test("tokens and sessions are not in the database as they are", async () => {
  const { rows } = await server.context.pool.query(
    "select encode(session_hash, 'escape') as a, session_hash from person_sessions",
  );
  assert.ok(!JSON.stringify(rows).includes(reader.split("=")[1] as string));
});

test("another site's page can do nothing with our cookie", async () => {
  for (const headers of [{ origin: "https://evil.example" }, { origin: "null" }, { origin: "http://localhost:1" }])
    assert.equal(
      (await problem(await server.post("/api/v1/tokens", { name: "x" }, { cookie: reader, ...headers }))).code,
      "origin-refused",
    );
  const bare = await fetch(`${server.url}/api/v1/sign-out`, {
    method: "POST",
    headers: { cookie: reader, "sec-fetch-site": "cross-site" },
  });
  assert.equal(bare.status, 403);
});

test("a name that is not ours is not answered, whatever its page asks", async () => {
  assert.equal(await rawStatus("/api/v1/me", { host: "evil.example" }), 421);
  assert.equal(await rawStatus("/", { host: "evil.example" }), 421);
  assert.equal(await rawStatus("/healthz", { host: "localhost:1" }), 200);
});

test("every answer carries the strict headers, and no page loads anything from elsewhere", async () => {
  for (const path of ["/", "/api/v1/me", "/healthz", "/api/docs", "/api/docs/style.css", "/api/openapi.json"]) {
    const { headers } = await server.get(path, { cookie: reader });
    const policy = headers.get("content-security-policy") ?? "";
    assert.match(policy, /^default-src 'self'; .*frame-ancestors 'none'/, path);
    assert.doesNotMatch(policy, /unsafe|nonce|sha\d/, path);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("referrer-policy"), "no-referrer");
    assert.equal(headers.get("access-control-allow-origin"), null);
  }
});

test("the description of the API needs neither a script nor a style of its own, and escapes what it shows", async () => {
  const html = await (await server.get("/api/docs", { cookie: reader })).text();
  assert.doesNotMatch(html, /<script|<style|\sstyle=|\son\w+=|javascript:|https?:\/\//i);
  const hostile = docsPage({ info: { title: "<script>", version: "\"'&", description: "`<b>`" }, paths: {} }, {});
  assert.ok(!hostile.includes("<script>") && hostile.includes("<code>&lt;b&gt;</code>"));
});

test("the type of a problem leads to its line in the description, and a browser without a login to the sign-in", async () => {
  const refused = await server.get("/api/v1/meters");
  const { type } = (await refused.json()) as { type: string };
  const { pathname, hash } = new URL(type, server.url);
  const html = await (await server.get(pathname, { cookie: reader })).text();
  assert.ok(html.includes(`id="${hash.slice(1)}"`), type);
  const browser = await fetch(server.url + pathname, { headers: { accept: "text/html" }, redirect: "manual" });
  assert.deepEqual([browser.status, browser.headers.get("location")], [302, "/sign-in?next=/api/docs"]);
  assert.equal((await server.get(pathname)).status, 401, "a program is told as ever");
});

test("bad input gets a problem with a stable code that says where", async () => {
  const cookie = await administrator();
  const cases: readonly (readonly [() => Promise<Response>, string])[] = [
    [() => server.get("/api/v1/meters/abc", { cookie }), "body-invalid"],
    [() => server.get(`/api/v1/meters/${METER}`, { cookie }), "meter-unknown"],
    [() => server.get("/api/v1/sessions/00000000-0000-4000-8000-000000000000", { cookie }), "session-unknown"],
    [() => server.get(`/api/v1/evidence/${"0".repeat(64)}`, { cookie }), "evidence-unknown"],
    [() => server.get("/api/v1/drills/00000000-0000-4000-8000-000000000000", { cookie }), "drill-unknown"],
    [() => server.get("/api/v1/ledger?limit=9999", { cookie }), "body-invalid"],
    [() => server.get("/api/v1/ledger?colour=red", { cookie }), "body-invalid"],
    [() => server.post("/api/v1/tokens", { name: "x", extra: 1 }, { cookie }), "body-invalid"],
    [() => server.post("/api/v1/tokens", { name: "x".repeat(70_000) }, { cookie }), "body-too-large"],
    [
      () =>
        fetch(`${server.url}/api/v1/tokens`, {
          method: "POST",
          body: "{",
          headers: { cookie, origin: server.url, "content-type": "application/json" },
        }),
      "body-invalid",
    ],
    [
      () =>
        fetch(`${server.url}/api/v1/tokens`, {
          method: "POST",
          body: "a=b",
          headers: { cookie, origin: server.url, "content-type": "application/x-www-form-urlencoded" },
        }),
      "media-type-unsupported",
    ],
    [() => server.get("/api/v1/nothing", { cookie }), "not-found"],
  ];
  for (const [ask, code] of cases) {
    const response = await ask();
    const body = await problem(response);
    assert.equal(body.code, code, JSON.stringify(body));
    assert.equal(response.status, HTTP_PROBLEMS[code as keyof typeof HTTP_PROBLEMS].status);
    assert.match(body.instance, /^request:[0-9a-f-]{36}$/);
  }
});

test("an error of ours says nothing outside, and its request's id", async () => {
  await using broken = await startTestServer({
    custodian: { describeKeys: () => Promise.reject(new Error("secret words")) },
  });
  const cookie = await broken.signIn();
  await broken.post("/api/v1/meters", { systemTitle: METER, label: "Mine", sealed: SEALED }, { cookie });
  const response = await broken.get(`/api/v1/meters/${METER}`, { cookie });
  assert.equal(response.status, 500);
  const text = await response.text();
  assert.ok(!text.includes("secret words"));
  assert.match(text, /internal-error/);
});

test("a real meter is attached with sealed keys, once, and marked as what it is", async () => {
  const body = { systemTitle: METER, label: "My meter", sealed: SEALED, layout: "none" };
  const attached = await server.post("/api/v1/meters", body, { cookie: reader });
  assert.equal(attached.status, 201);
  const line = (await attached.json()) as { kind: string; trust: string; takeover: string; stale: boolean };
  assert.deepEqual([line.kind, line.trust, line.takeover, line.stale], ["real", "held", "not-applicable", true]);
  assert.equal((await problem(await server.post("/api/v1/meters", body, { cookie: reader }))).code, "meter-exists");
  const refused = { ...body, systemTitle: "4D4B56FFFFFFFFFF" };
  assert.equal((await problem(await server.post("/api/v1/meters", refused, { cookie: reader }))).code, "meter-refused");
  assert.equal(
    (await problem(await server.get("/api/v1/meters/4D4B56FFFFFFFFFF", { cookie: reader }))).code,
    "meter-unknown",
  );
  const detail = (await (await server.get(`/api/v1/meters/${METER}`, { cookie: reader })).json()) as {
    keys: unknown[];
  };
  assert.deepEqual(detail.keys, [
    { purpose: "GUEK", version: 1, state: "active", origin: "imported", createdAt: "1970-01-01T00:00:00.000Z" },
  ]);
});

test("a meter attached with published keys says that its messages prove nothing, for as long as it is there", async () => {
  const message = "The GUEK is published in the examples of Meterkeep.";
  await using warned = await startTestServer({
    custodian: {
      addMeter: async ({ systemTitle }) => ({
        kind: "added",
        warnings: [{ systemTitle, purpose: "GUEK", message }],
      }),
    },
  });
  const cookie = await warned.signIn();
  const body = { systemTitle: METER, label: "Example", sealed: SEALED };
  await warned.post("/api/v1/meters", body, { cookie });
  const { trust } = (await (await warned.get(`/api/v1/meters/${METER}`, { cookie })).json()) as {
    trust: { state: string; sentence: string };
  };
  assert.equal(trust.state, "held");
  assert.ok(trust.sentence.startsWith(`${message} Whoever knows that can speak for this meter`));
});

test("what people do is in the head-end's ledger, a leaf of its tree, before it is done", async () => {
  const cookie = await administrator();
  await server.post("/api/v1/tokens", { name: "audit me" }, { cookie });
  const page = (await (await server.get("/api/v1/ledger?source=head-end&limit=2", { cookie })).json()) as {
    head: { size: number; root: string };
    entries: { sequence: number; kind: string; leaf: string; body: string }[];
  };
  assert.deepEqual(
    page.entries.map(({ kind }) => kind),
    ["token-created", "stepped-up"],
  );
  assert.equal(page.entries[0]?.sequence, page.head.size);
  assert.match(page.head.root, /^[0-9a-f]{64}$/);
  assert.match(page.entries[0]?.body ?? "", /audit me/);
});

test("a fleet that is too large for a line of each meter is told by its feeders, and its meters come in pages", async () => {
  await using large = await startTestServer();
  const { inventory, pool, scope } = large.context;
  const title = (n: number): string => `4D4B56${n.toString(16).toUpperCase().padStart(10, "0")}`;
  const shipped = { kind: "simulated", profile: "idis-p2", securitySuite: 0, manufacturer: "Maker" } as const;
  const meters = Array.from({ length: OVERVIEW_MOST_METERS + 1 }, (_, n) => ({
    ...{ ...shipped, systemTitle: title(n), holders: ["Maker"], shipment: "5".repeat(32) },
  }));
  for (let first = 0; first < meters.length; first += 5_000)
    await inventory.add(meters.slice(first, first + 5_000), new Date());
  await pool.query(
    `insert into feeders (utility_id, island_id, feeder_id, name, substation_id, substation_name, path, position)
     values ($1, $2, 'F1', 'Feeder 1', 'S1', 'Substation', 'wan', 0)`,
    [...scope.place],
  );
  // As whoever imports a shipment does.
  await refreshStatistics(pool);
  const cookie = await large.signIn();
  const read = async <T>(path: string): Promise<T> =>
    (await (await large.get(`/api/v1${path}`, { cookie })).json()) as T;
  const overview = await read<Overview>("/overview");
  assert.deepEqual([overview.meters.length, overview.grid, overview.feeders?.length], [0, undefined, 1]);
  assert.equal(overview.counts.meters, meters.length);
  assert.equal(overview.counts.byTakeover["shipped"], meters.length);
  const first = await read<MeterList>("/meters");
  assert.equal(first.meters.length, 1_000);
  const last = await read<MeterList>(`/meters?after=${first.next}&limit=5000&find=${title(4_711)}`);
  assert.deepEqual([last.meters.map(({ systemTitle }) => systemTitle), last.next], [[title(4_711)], undefined]);
});

test("the overview is whole from the first moment, without a meter in it", async () => {
  await using empty = await startTestServer();
  const cookie = await empty.signIn();
  const overview = (await (await empty.get("/api/v1/overview", { cookie })).json()) as Record<string, unknown>;
  assert.deepEqual(overview["meters"], []);
  assert.match(String(overview["lastEventId"]), /^test\.\d+$/);
  for (const path of [
    "/events/recent",
    "/meters",
    "/push-sources",
    "/ledger",
    "/ledger?source=head-end",
    "/custodian/recipient",
    "/drills",
    "/config/public",
    "/passkeys",
  ])
    assert.equal((await empty.get(`/api/v1${path}`, { cookie })).status, 200, path);
});

test("the description is OpenAPI 3.1 of every route, with problems", async () => {
  const api = (await (await server.get("/api/openapi.json", { cookie: reader })).json()) as {
    openapi: string;
    paths: Record<
      string,
      Record<string, { operationId: string; responses: Record<string, unknown>; security: unknown[] }>
    >;
  };
  assert.equal(api.openapi, "3.1.0");
  const described = Object.values(api.paths).flatMap((methods) => Object.values(methods));
  assert.deepEqual(described.map(({ operationId }) => operationId).sort(), Object.keys(HTTP_ROUTES).sort());
  for (const { responses } of described) assert.ok("default" in responses);
  for (const { operationId, security } of described) {
    const { access, scope } = HTTP_ROUTES[operationId as keyof typeof HTTP_ROUTES] as Route;
    const tokens = access === "anyone" ? [{ token: [scope] }] : [];
    if (scope !== undefined) assert.deepEqual(security, [{ session: [] }, ...tokens], operationId);
  }
  assert.ok(!JSON.stringify(api).includes('"$ref":"def-'));
  const page = await server.get("/api/docs", { cookie: reader });
  assert.equal(page.status, 200);
  const html = await page.text();
  for (const { operationId } of described) assert.ok(html.includes(`<article id="${operationId}">`), operationId);
});

test("the owner of the machine is let in by the socket, and nobody else may have a link made", async () => {
  const answer = await new Promise<{ status: number; text: string }>((resolve, reject) => {
    request({ socketPath: server.adminSocket, method: "POST", path: "/api/v1/admin/sign-in-link" }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
    })
      .on("error", reject)
      .end();
  });
  assert.equal(answer.status, 201, answer.text);
  const { url } = JSON.parse(answer.text) as { url: string };
  const token = new URL(url).hash.slice(1);
  assert.equal((await server.post("/api/v1/sign-in", { token })).status, 200);
  const cookie = await server.signIn();
  assert.equal((await server.post("/api/v1/admin/sign-in-link", undefined, { cookie })).status, 403);
});

test("before the console is built a plain page says so, and no path leaves its directory", async () => {
  assert.match(await (await server.get("/")).text(), /has not been built yet/);
  for (const path of ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/assets/..%2f..%2fetc%2fpasswd"])
    assert.ok(!(await (await server.get(path)).text()).includes("root:"));
});

test("passkeys are offered for this name alone, a challenge is good once, and junk is refused without a word why", async () => {
  const cookie = await server.signIn();
  const offered = (await (await server.post("/api/v1/passkeys/options", undefined, { cookie })).json()) as {
    challengeId: string;
    options: { rp: { id: string }; challenge: string; authenticatorSelection: { userVerification: string } };
  };
  assert.equal(offered.options.rp.id, "localhost");
  assert.equal(offered.options.authenticatorSelection.userVerification, "required");
  const junk = {
    challengeId: offered.challengeId,
    response: { id: "a", rawId: "a", type: "public-key", response: {} },
  };
  for (const path of ["/api/v1/passkeys", "/api/v1/sign-in/passkey"])
    assert.equal((await problem(await server.post(path, junk, { cookie }))).code, "sign-in-refused");
  const { rows } = await server.context.pool.query(
    "select count(*)::int as left from login_challenges where person_id is not null",
  );
  assert.deepEqual(rows, [{ left: 0 }]);
  assert.equal((await server.post("/api/v1/sign-in/passkey/options", undefined)).status, 200);
});
