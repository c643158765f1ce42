import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../bytes.ts";
import { HdlcClient } from "../hdlc/client.ts";
import { hdlcParameters, proposalOctets } from "../hdlc/parameters.ts";
import { BUILT_IN_PROFILES } from "./built-in-profiles.ts";
import { hdlcOptionsOf } from "./hdlc-options.ts";
import { resolveProfile } from "./resolve-profile.ts";

test("a profile says how its meters are called, and what is proposed to them", () => {
  const facts = {
    id: "x",
    title: "x",
    serverSap: 1,
    hdlc: { addressBytes: 4, physicalDevice: 17, maxReceiveBytes: 512, windowReceive: 3 },
  } as const;
  const options = hdlcOptionsOf(facts, 16);
  const [snrm] = new HdlcClient(options).step({ kind: "connect" }, 0);
  assert.ok(snrm?.kind === "transmit");
  const proposal = toHex(proposalOctets(hdlcParameters({ maxReceiveBytes: 512, windowReceive: 3 })));
  assert.match(toHex(snrm.octets), new RegExp(`^7ea02200020023 21 93 .... ${proposal}`.replaceAll(" ", "")));
});

test("the quirks of known servers are facts of their profiles", () => {
  const jdlms = hdlcOptionsOf(resolveProfile("jdlms-example", BUILT_IN_PROFILES), 16);
  assert.deepEqual(jdlms.quirks, {
    segments: {},
    answersWithCommandLlc: true,
    omitsLlc: false,
    neverAcknowledges: true,
  });
  const plain = hdlcOptionsOf({ id: "x", title: "x" }, 1);
  assert.deepEqual(plain.server, { logicalDevice: 1, physicalDevice: undefined, bytes: undefined });
});
