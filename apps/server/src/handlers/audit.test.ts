import assert from "node:assert/strict";
import { test } from "node:test";
import { startTestServer } from "../testing/test-server.ts";

test("a ledger leaves the bookkeeping out when it is asked to, and says where the next page begins", async () => {
  await using server = await startTestServer();
  const cookie = await server.signIn();
  const { ledger } = server.context;
  const draft = { at: Date.now(), principal: "test", utility: "utility", island: "island", body: {} };
  await ledger.append(
    { ...draft, kind: "meter-attached" },
    ...Array.from({ length: 250 }, () => ({ ...draft, kind: "session-opened" })),
  );
  const read = async (query: string) =>
    (await (await server.get(`/api/v1/ledger?source=head-end&${query}`, { cookie })).json()) as {
      entries: { sequence: number; kind: string }[];
      older?: number;
    };
  const all = await read("limit=100");
  assert.deepEqual([all.entries.length, all.entries[0]?.kind], [100, "session-opened"]);
  assert.equal(all.older, all.entries.at(-1)?.sequence);
  assert.equal((await read(`limit=1&before=${all.older}`)).entries[0]?.sequence, all.older! - 1);
  const told = await read("limit=1&routine=false");
  assert.equal(told.entries[0]?.kind, "meter-attached");
  const page = await read("limit=500");
  assert.equal(page.older, undefined, "the beginning");
});
