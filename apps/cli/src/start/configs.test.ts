import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSettings } from "@meterkeep/api/settings";
import { GATE_CONFIG, OPERATOR_CONFIG, SERVER_CONFIG, TOWN_CONFIG, WORKER_CONFIG } from "@meterkeep/api/supervisor";
import { type ConfigSources, gateConfig, operatorConfig, serverConfig, townConfig, workerConfig } from "./configs.ts";
import { resolveOptions } from "./start-config.ts";

const credential = { name: "somebody", keyFile: "/state/some.key", certificate: "PEM" };

/** As a start with these options makes them. */
function sources(options: Readonly<Record<string, string>>): ConfigSources {
  const database = { role: "postgres://role@localhost/db", owner: "postgres://owner@localhost/db" };
  const directories = new Proxy(
    {},
    { get: (_, name) => (name === "sockets" ? directories : `/state/${String(name)}`) },
  );
  return {
    config: resolveOptions(options, {}),
    installation: { utility: "demo", island: "main", meters: 2, seed: "seed" },
    directories,
    credentials: { custodian: credential, headEnd: credential, depot: credential, operator: credential },
    trunk: {
      headEnd: credential,
      callListener: credential,
      gate: credential,
      concentrators: async () => [],
      authorities: "PEM",
    },
    databases: { headEnd: database, custodian: database },
    separateUsers: false,
    warnings: [],
  } as unknown as ConfigSources;
}

test("what the supervisor writes for a process is what that process reads, with whatever options", () => {
  const all = {
    ...{ callPort: "4061", callTlsPort: "4062", callers: "2", concentrators: "1", workers: "2" },
    ...{ workerGate: "127.0.0.1:8425", nats: "nats://127.0.0.1:4222", natsHears: "yes", fieldPort: "8422" },
    ...{ wakeUpUrl: "http://127.0.0.1/wake", organisation: "https://idp.example", state: "/elsewhere" },
  };
  for (const options of [{}, all]) {
    const made = sources(options);
    parseSettings(SERVER_CONFIG, serverConfig(made));
    parseSettings(WORKER_CONFIG, workerConfig(made));
    parseSettings(OPERATOR_CONFIG, operatorConfig(made));
    parseSettings(TOWN_CONFIG, townConfig(made));
  }
  const { host, port } = parseSettings(GATE_CONFIG, gateConfig(sources(all)));
  assert.deepEqual([host, port], ["127.0.0.1", 8425]);
});

test("who comes in by a gate enrols beside it, unless another place is said", () => {
  const gate = { host: "192.0.2.1", port: 8425 };
  const beside = operatorConfig(sources({ workerGate: "192.0.2.1:8425" }));
  assert.deepEqual(beside.gate, { ...gate, enrolment: { host: "192.0.2.1", port: 8424 } });
  const elsewhere = operatorConfig(sources({ workerGate: "192.0.2.1:8425", enrolment: "192.0.2.2:443" }));
  assert.deepEqual(elsewhere.gate, { ...gate, enrolment: { host: "192.0.2.2", port: 443 } });
  assert.equal(operatorConfig(sources({})).gate, undefined);
});
