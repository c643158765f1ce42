import assert from "node:assert/strict";
import { test } from "node:test";
import fastifyRateLimit from "@fastify/rate-limit";
import type { Custodian } from "@meterkeep/api/custodian";
import { fastify } from "fastify";
import { scriptedCustodian, startTestServer } from "../testing/test-server.ts";
import { servePublications } from "./publications.ts";

type Newest = Awaited<ReturnType<Custodian["newestCertificates"]>>["certificates"];

/** So many certificates of one authority, of which many were ordered in one millisecond. */
function issued(count: number, at: number): Newest {
  return Array.from({ length: count }, (_, number) => ({
    authority: "ab".repeat(20),
    serial: `11${number.toString(16).padStart(30, "0")}`,
    utility: "utility",
    island: "island",
    profile: "dlms-suite-1-signature",
    subject: "CN=4D4B303000000001",
    systemTitle: "4D4B303000000001",
    keyIdentifier: "cd".repeat(20),
    requester: "line-1",
    notBefore: at,
    notAfter: at + 1,
    orderedAt: at - Math.floor(number / 150),
    state: "valid" as const,
    revokedAt: undefined,
    reason: undefined,
    certificate: undefined,
  }));
}

test("everybody can leaf through all that was issued, by the links of the page and by JSON, and misses none of a batch", async () => {
  const all = issued(437, Date.now() - 60_000);
  await using server = await startTestServer({
    custodian: {
      // As the registry gives them: newest first, within a moment in the order of their serial numbers.
      newestCertificates: async ({ before, after, limit }) => {
        const isLater = (one: Newest[number]) =>
          one.orderedAt < before || (after !== undefined && one.orderedAt === before && one.serial > after.serial);
        return { certificates: all.filter(isLater).slice(0, limit) };
      },
    },
  });
  const seen: string[] = [];
  for (let path: string | undefined = "/pki/issued"; path !== undefined; ) {
    const page = await (await server.get(path)).text();
    assert.doesNotMatch(page, /4D4B3030|line-1/, "neither devices nor requesters are named");
    seen.push(...Array.from(page.matchAll(/<code>(11[0-9a-f]{30})<\/code>/g), ([, serial]) => serial!));
    path = /href="(\/pki\/issued\?[^"]+)"/.exec(page)?.[1]?.replaceAll("&amp;", "&");
  }
  assert.deepEqual(
    seen,
    all.map(({ serial }) => serial),
  );
  const read = async (query: string) =>
    ((await (await server.get(`/pki/issued.json${query}`)).json()) as { issued: Record<string, string>[] }).issued;
  const [first] = [await read("")];
  const last = first.at(-1)!;
  const next = await read(`?before=${last["orderedAt"]}&authority=${last["authority"]}&serial=${last["serial"]}`);
  assert.equal(next[0]?.["serial"], all[100]?.serial);
  for (const query of ["?before=never", "?serial=11", "?authority=zz&serial=1111111111111111", "?authority=abab"])
    assert.equal((await server.get(`/pki/issued.json${query}`)).status, query.includes("zz") ? 404 : 400, query);
});

test("one address that asks without end is told to wait, whatever it asks for, and nothing of it reaches the custodian", async () => {
  const MOST = 3;
  let asked = 0;
  const custodian = scriptedCustodian({
    publishedList: async () => {
      asked += 1;
      return { list: undefined };
    },
  });
  await using app = fastify();
  await app.register(fastifyRateLimit, { global: false });
  servePublications(app, { custodian, now: Date.now }, () => true, MOST);
  const list = `/pki/crl/${"ab".repeat(20)}/0.crl`;
  for (const path of [list, "/pki/ca/all.pem", "/pki/issued", "/pki/issued.json", "/pki/issued.css"]) {
    const statuses: number[] = [];
    for (let sent = 0; sent < MOST + 2; sent += 1) statuses.push((await app.inject(path)).statusCode);
    assert.deepEqual(statuses.slice(MOST), [429, 429], path);
    assert.ok(!statuses.slice(0, MOST).includes(429), path);
  }
  const question = { method: "POST", url: `/pki/ocsp/${"ab".repeat(20)}`, body: Buffer.of(0x30) } as const;
  const headers = { "content-type": "application/ocsp-request" };
  for (let sent = 0; sent < MOST; sent += 1) await app.inject({ ...question, headers });
  assert.equal((await app.inject({ ...question, headers })).statusCode, 429);
  assert.equal(asked, MOST);
  // The product's own limit, where the server is put together.
  await using server = await startTestServer();
  assert.equal((await server.get("/pki/ca/all.pem")).headers.get("x-ratelimit-limit"), "3000");
});
