import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseUsers } from "./users.ts";

test("started as root, each process has a number of its own, and those who exchange files share a group", () => {
  const { exchangeGroup, ...users } = chooseUsers(60_900, true, [""]);
  const uids = Object.values(users).map((user) => user?.uid);
  assert.equal(new Set(uids).size, 7);
  assert.deepEqual(
    [users.custodian?.gid, users.factory?.gid, users.town?.gid].map((gid) => gid === exchangeGroup),
    [true, true, true],
  );
  assert.notEqual(users.headEnd?.gid, exchangeGroup);
});

test("a number that the machine has given away is refused with its owner", () => {
  assert.throws(() => chooseUsers(60_900, true, ["alice:x:60905:100::/home/alice:/bin/sh\n"]), {
    code: "user-ids-taken",
    message: /alice has the id 60905.*--user-ids/,
  });
});

test("started by a normal user, nobody changes", () => {
  assert.equal(chooseUsers(60_900, false, []).custodian, undefined);
});
