import assert from "node:assert/strict";
import { test } from "node:test";
import { createGatewayPolicy, DEFAULT_GATEWAY_NETWORKS } from "./gateway-policy.ts";

const NAMES: Readonly<Record<string, readonly string[]>> = {
  "gateway.utility.example": ["10.1.2.3"],
  "rebound.example": ["10.1.2.3", "169.254.169.254"],
  localhost: ["::1", "127.0.0.1"],
  "nobody.example": [],
};

function policy(networks: readonly string[] = DEFAULT_GATEWAY_NETWORKS) {
  return createGatewayPolicy({
    networks,
    ownPorts: () => [8420, 4059],
    resolve: async (host) => NAMES[host] ?? [host],
  });
}

const refused = { code: "gateway-address-refused" };

test("private networks are permitted, by the address that was checked", async () => {
  for (const host of ["10.0.0.1", "172.31.255.1", "192.168.1.20", "fd12::1", "::ffff:10.0.0.1"])
    assert.deepEqual(await policy().permit({ host, port: 2001 }), { host, port: 2001 });
  assert.deepEqual(await policy().permit({ host: "gateway.utility.example", port: 1 }), { host: "10.1.2.3", port: 1 });
});

test("this machine, this link, metadata services, groups and the rest of the world are refused", async () => {
  for (const host of [
    "127.0.0.1",
    "127.9.9.9",
    "::1",
    "::ffff:127.0.0.1",
    "localhost",
    "0.0.0.0",
    "::",
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "fe80::1%eth0",
    "fd00:ec2::254",
    "100.100.100.200",
    "224.0.0.1",
    "ff02::1",
    "255.255.255.255",
    "8.8.8.8",
    "172.32.0.1",
    "2001:db8::1",
    "rebound.example",
    "nobody.example",
  ])
    await assert.rejects(policy().permit({ host, port: 2001 }), refused, host);
});

test("loopback is permitted only by name, and never a port of our own", async () => {
  await assert.rejects(policy(["0.0.0.0/0", "::/0"]).permit({ host: "127.0.0.1", port: 2001 }), refused);
  await assert.rejects(policy(["0.0.0.0/0"]).permit({ host: "169.254.169.254", port: 80 }), refused);
  const local = policy(["127.0.0.0/8"]);
  assert.deepEqual(await local.permit({ host: "127.0.0.1", port: 2001 }), { host: "127.0.0.1", port: 2001 });
  for (const port of [8420, 4059]) await assert.rejects(local.permit({ host: "127.0.0.1", port }), refused);
});
