import assert from "node:assert/strict";
import { test } from "node:test";
import { API_PREFIX } from "@meterkeep/api";
import { startTestServer } from "../testing/test-server.ts";

test("intervals and registers are exported in three forms; an unknown one, and times that run backwards, are the caller's", async () => {
  await using server = await startTestServer();
  const cookie = await server.signIn();
  const window = "from=2026-11-20T00:00:00Z&to=2026-11-21T00:00:00Z";
  for (const what of ["intervals", "registers"]) {
    const path = `${API_PREFIX}/export/${what}`;
    for (const [format, type, beginning, file] of [
      ["csv", /^text\/csv/, "meter,obis", "csv"],
      ["cim", /^application\/xml/, "<?xml", "xml"],
      ["parquet", /parquet/, "PAR1", "parquet"],
    ] as const) {
      const response = await server.get(`${path}?format=${format}&${window}`, { cookie });
      assert.equal(response.status, 200);
      assert.match(response.headers.get("content-type") ?? "", type);
      assert.equal(response.headers.get("content-disposition"), `attachment; filename="${what}.${file}"`);
      assert.equal((await response.text()).slice(0, beginning.length), beginning);
    }
    const unknown = `format=csv&${window}&meter=4D4B5600000000FF`;
    assert.equal((await server.get(`${path}?${unknown}`, { cookie })).status, 404);
    for (const query of [
      `format=xlsx&${window}`,
      "format=csv",
      "format=csv&from=2026-11-21T00:00:00Z&to=2026-11-20T00:00:00Z",
    ])
      assert.equal((await server.get(`${path}?${query}`, { cookie })).status, 400, query);
    assert.equal((await server.get(`${path}?format=csv&${window}`)).status, 401);
  }
});
