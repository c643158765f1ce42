import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Caller } from "../calls/caller.ts";
import { Uploads } from "./uploads.ts";

const caller: Caller = { name: "head-end", role: "head-end" };
const place = { utility: "stadtwerke", island: "mainland" };

test("uploads that begin at once are bounded as those that begin one after the other", async () => {
  const folder = await mkdtemp(join(tmpdir(), "mk-uploads-"));
  const uploads = new Uploads(folder, () => 0);
  try {
    const begun = await Promise.allSettled(Array.from({ length: 40 }, () => uploads.begin(place, caller)));
    assert.equal(begun.filter(({ status }) => status === "fulfilled").length, 8);
    for (const one of begun)
      if (one.status === "rejected")
        assert.ok(one.reason instanceof CallRefusal && one.reason.code === "too-many-open");
    assert.equal((await readdir(folder)).length, 8);
    await uploads.closeAll();
    assert.match(await uploads.begin(place, caller), /^[0-9a-f]{24}$/, "room is made by those that end");
  } finally {
    await uploads.closeAll();
    await rm(folder, { recursive: true, force: true });
  }
});

test("uploads share one bound of octets, and room is made by what is removed", async () => {
  const folder = await mkdtemp(join(tmpdir(), "mk-uploads-"));
  const uploads = new Uploads(folder, () => 0, 1000);
  const tooLarge = { code: "upload-too-large" };
  try {
    const [one, two] = [await uploads.begin(place, caller), await uploads.begin(place, caller)];
    await uploads.append(one, new Uint8Array(600), caller);
    await assert.rejects(uploads.append(two, new Uint8Array(600), caller), tooLarge);
    await assert.rejects(uploads.append(two, new Uint8Array(1), caller), { code: "upload-unknown" });
    await uploads.append(one, new Uint8Array(400), caller);
    const three = await uploads.begin(place, caller);
    const importing = uploads.finish(one, caller, async (chunks) => {
      for await (const _ of chunks) await assert.rejects(uploads.append(three, new Uint8Array(1), caller), tooLarge);
    });
    await importing;
    const four = await uploads.begin(place, caller);
    assert.equal(await uploads.append(four, new Uint8Array(1000), caller), 1000, "what was imported is gone");
  } finally {
    await uploads.closeAll();
    await rm(folder, { recursive: true, force: true });
  }
});
