import assert from "node:assert/strict";
import { test } from "node:test";
import { API_PREFIX } from "@meterkeep/api";
import { startTestServer } from "../testing/test-server.ts";

test("intervals are exported in three forms; an unknown one, and times that run backwards, are the caller's", async () => {
  await using server = await startTestServer();
  const cookie = await server.signIn();
  const window = "from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z";
  for (const [format, type, beginning] of [
    ["csv", /^text\/csv/, "meter,obis"],
    ["cim", /^application\/xml/, "<?xml"],
    ["parquet", /parquet/, "PAR1"],
  ] as const) {
    const response = await server.get(`${API_PREFIX}/export/intervals?format=${format}&${window}`, { cookie });
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type") ?? "", type);
    assert.equal((await response.text()).slice(0, beginning.length), beginning);
  }
  const unknown = `format=csv&${window}&meter=4D4B5600000000FF`;
  assert.equal((await server.get(`${API_PREFIX}/export/intervals?${unknown}`, { cookie })).status, 404);
  for (const query of [
    `format=xlsx&${window}`,
    "format=csv",
    "format=csv&from=2026-11-21T00:00:00Z&to=2026-11-20T00:00:00Z",
  ])
    assert.equal((await server.get(`${API_PREFIX}/export/intervals?${query}`, { cookie })).status, 400, query);
  assert.equal((await server.get(`${API_PREFIX}/export/intervals?format=csv&${window}`)).status, 401);
});
