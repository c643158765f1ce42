import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { API_PREFIX, HTTP_ROUTES, type Route } from "@meterkeep/api";
import fc from "fast-check";
import { startTestServer, type TestServer } from "../testing/test-server.ts";

const METER = "4D4B560000000001";

let server: TestServer;
let cookie: string;
before(async () => {
  server = await startTestServer();
  cookie = (await server.person("Fuzz", ["administrator", "operator"])).cookie;
  const sealed = { alg: "ECDH-P384/HKDF-SHA384/A256GCM", recipient: "ab", epk: "AA", nonce: "AA", sealed: "AA" };
  await server.post(`${API_PREFIX}/meters`, { systemTitle: METER, label: "Mine", sealed }, { cookie });
});
after(() => server[Symbol.asyncDispose]());

/** What has broken servers before: absurd numbers and times, NUL and its kin, quotes, what ends a path or a prototype. */
const NASTY = [
  "\0",
  "a\0b",
  "\ud800",
  "'",
  "%00",
  "../../etc/passwd",
  "__proto__",
  "1e999",
  "-1",
  "NaN",
  "9007199254740991",
  "9007199254740993",
  "99999999999999999999999999",
  "0000-01-01T00:00:00Z",
  "9999-12-31T23:59:60Z",
  "2016-12-31T23:59:60Z",
  "2026-01-01t00:00:00.123456789123+23:59",
  "x".repeat(3000),
];
const VALID: Readonly<Record<string, string>> = {
  systemTitle: METER,
  id: "00000000-0000-4000-8000-000000000000",
  hash: "0".repeat(64),
};
const nasty = fc.oneof(fc.constantFrom(...NASTY), fc.string({ unit: "binary", maxLength: 30 }), fc.string());
const value = fc.oneof({ weight: 3, arbitrary: nasty }, { weight: 1, arbitrary: fc.jsonValue() });

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, unknown>>;
}

function names(schema: unknown): readonly string[] {
  return Object.keys((schema as ObjectSchema | undefined)?.properties ?? {});
}

/** A request of a route: each part is as the schema wants it or nonsense. */
function requests(id: string, route: Route) {
  const params = fc.record(
    Object.fromEntries(
      names(route.params).map((name) => [name, fc.oneof(fc.constant(VALID[name] ?? "x"), nasty)] as const),
    ),
  );
  const query = fc.record(Object.fromEntries(names(route.query).map((name) => [name, nasty] as const)), {
    requiredKeys: [],
  });
  const body =
    route.body === undefined
      ? fc.constant(undefined)
      : fc.oneof(
          fc.record(Object.fromEntries(names(route.body).map((name) => [name, value] as const)), { requiredKeys: [] }),
          fc.jsonValue(),
        );
  return fc.record({ id: fc.constant(id), params, query, body });
}

/** All but the stream, which has no end, and signing out, after which nothing more is asked. */
const SKIPPED: ReadonlySet<string> = new Set(["events", "signOut"]);
/** Guessing is slowed down after 20 a minute. */
const GUESSED: ReadonlySet<string> = new Set(["signIn", "passkeySignIn"]);

for (const [id, route] of Object.entries<Route>(HTTP_ROUTES)) {
  if (SKIPPED.has(id) || (route.params ?? route.query ?? route.body) === undefined) continue;
  test(`whatever ${route.method} ${route.path} is asked, it is never the server's fault`, async () => {
    await fc.assert(
      fc.asyncProperty(requests(id, route), async ({ params, query, body }) => {
        const path = Object.entries(params as Record<string, string>).reduce(
          (text, [name, part]) => text.replace(`:${name}`, () => encodeURIComponent(part.toWellFormed())),
          route.path as string,
        );
        const search = Object.entries(query as Record<string, string>).map(
          ([name, part]) => `${name}=${encodeURIComponent(part.toWellFormed())}`,
        );
        const response = await fetch(`${server.url}${API_PREFIX}${path}?${search.join("&")}`, {
          method: route.method,
          headers: {
            cookie,
            origin: server.url,
            ...(body === undefined ? {} : { "content-type": "application/json" }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        const text = await response.text();
        assert.ok(
          response.status < 500,
          `${path}?${search.join("&")} ${JSON.stringify(body)}: ${response.status} ${text}`,
        );
        if (response.status >= 400) {
          assert.match(response.headers.get("content-type") ?? "", /^application\/problem\+json/);
          assert.match((JSON.parse(text) as { code: string }).code, /^[a-z-]+$/);
        }
      }),
      { numRuns: GUESSED.has(id) ? 15 : 20 },
    );
  });
}

test("whatever path is asked, with or without a login, it is never the server's fault", async () => {
  const paths = fc.oneof(
    fc.constantFrom(
      "/%",
      "/%00",
      "/assets/%00.js",
      "/a%00.html",
      "/api/v1/%ff",
      "//x",
      "/api/v1/meters/%E0%A4%A",
      "/?%",
    ),
    nasty.map((text) => `/${encodeURIComponent(text.toWellFormed())}`),
    nasty.map((text) => `/assets/${encodeURIComponent(text.toWellFormed())}.css`),
  );
  await fc.assert(
    fc.asyncProperty(paths, fc.boolean(), async (path, withLogin) => {
      const { status } = await server.get(path, withLogin ? { cookie } : {});
      assert.ok(status < 500, `${path}: ${status}`);
    }),
    { numRuns: 50 },
  );
});

test("an absurd sequence and a NUL in a name are the caller's", async () => {
  for (const after of ["99999999999999999999", "1e300", "-1", "9007199254740993"])
    for (const source of ["head-end", "custodian"])
      assert.equal((await server.get(`${API_PREFIX}/ledger?source=${source}&after=${after}`, { cookie })).status, 400);
  for (const limit of ["1e999", "-1", "0", "1.5", "NaN", "", "9007199254740993"])
    for (const path of [`meters/${METER}/sessions`, "ledger", "events/recent", `meters/${METER}/readings`]) {
      const { status } = await server.get(`${API_PREFIX}/${path}?limit=${limit}`, { cookie });
      assert.equal(status, 400, `${path} ${limit}`);
    }
  for (const time of [
    "2016-12-31T23:59:60Z",
    "9999-12-31T23:59:60Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
  ])
    for (const path of ["readings", "profile"])
      for (const end of ["from", "to"]) {
        const { status } = await server.get(
          `${API_PREFIX}/meters/${METER}/${path}?${end}=${encodeURIComponent(time)}`,
          {
            cookie,
          },
        );
        assert.ok(status < 500, `${path} ${end} ${time}: ${status}`);
      }
  const named = await server.post(`${API_PREFIX}/tokens`, { name: "a\0b" }, { cookie });
  assert.deepEqual([named.status, ((await named.json()) as { code: string }).code], [400, "body-invalid"]);
});
