import assert from "node:assert/strict";
import { test } from "node:test";
import { authenticationOf } from "./data-directory.ts";

test("nobody is the superuser by their user's name but root, under which nothing of ours that faces a network runs", () => {
  const root = authenticationOf({ name: "postgres", switches: true }, false);
  assert.match(root["pg_hba.conf"], /^local all postgres peer map=installer$/m);
  assert.equal(root["pg_ident.conf"], 'installer "root" postgres\n');
  for (const owner of [{ name: "alice", switches: false }, { switches: false }]) {
    const own = authenticationOf(owner, true);
    assert.doesNotMatch(own["pg_hba.conf"], /peer|trust/);
    assert.equal(own["pg_ident.conf"], "");
  }
});

test("a directory that was made without a password goes on as it was", () => {
  const { "pg_hba.conf": hba, "pg_ident.conf": ident } = authenticationOf({ name: "alice", switches: false }, false);
  assert.match(hba, /^local all postgres peer map=installer$/m);
  assert.equal(ident, 'installer "alice" postgres\n');
});
