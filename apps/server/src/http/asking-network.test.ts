import assert from "node:assert/strict";
import { test } from "node:test";
import { askingNetwork } from "./asking-network.ts";

const NETWORKS: Readonly<Record<string, string>> = {
  "10.1.2.3": "10.1.2.0/24",
  "::ffff:10.1.2.3": "10.1.2.0/24",
  "::FFFF:10.1.2.77": "10.1.2.0/24",
  "2001:db8::5": "2001:db8:0::/48",
  "2001:db8:0:7::5": "2001:db8:0::/48",
  "2001:0DB8:0000:0007:0000:0000:0000:0005": "2001:db8:0::/48",
  "2001:db8:7:1:2:3:4:5": "2001:db8:7::/48",
  "64:ff9b::10.1.2.3": "64:ff9b:0::/48",
  "fe80::1%eth0": "fe80:0:0::/48",
  "127.0.0.1": "",
  "127.8.9.1": "",
  "::ffff:127.0.0.1": "",
  "::1": "",
  "0:0:0:0:0:0:0:1": "",
  "": "",
  "not an address": "",
};

test("a network has one name, however its addresses are written, and this machine has none", () => {
  for (const [address, network] of Object.entries(NETWORKS)) assert.equal(askingNetwork(address), network, address);
  assert.equal(askingNetwork(undefined), "", "over the admin socket");
});
