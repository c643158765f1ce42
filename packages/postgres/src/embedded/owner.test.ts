import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseOwner } from "./owner.ts";

const isRoot = process.getuid?.() === 0;
const nobody = "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";

test("root hands PostgreSQL to postgres", { skip: !isRoot }, () => {
  const owner = chooseOwner(() => `${nobody}postgres:x:101:104::/var/lib/postgresql:/bin/bash\n`);
  assert.deepEqual(owner, { uid: 101, gid: 104, name: "postgres", switches: true });
});

test("root hands it to nobody where there is no postgres, and warns", { skip: !isRoot }, () => {
  const owner = chooseOwner(() => nobody);
  assert.deepEqual([owner.uid, owner.name], [65534, "nobody"]);
  assert.match(owner.warning ?? "", /other processes of nobody can read its data/);
});

test("root without either is told what to do", { skip: !isRoot }, () => {
  assert.throws(() => chooseOwner(() => "root:x:0:0::/root:/bin/sh\n"), { code: "no-unprivileged-user" });
});

test("a normal user runs it without switching", { skip: isRoot }, () => {
  const owner = chooseOwner();
  assert.deepEqual([owner.uid, owner.switches], [process.getuid?.(), false]);
});
