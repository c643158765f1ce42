import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { KEY_SERVICE_ROUTES, responseValidator } from "@meterkeep/api/key-service";
import { getRequest, getResult, textOf } from "../protocol/requests.ts";
import { withKeyService } from "../testing/key-service-bench.ts";
import { testCredential } from "../testing/test-credential.ts";

const LDN = getRequest({ classId: 1, logicalName: "0.0.42.0.0.255", attributeId: 2 });
const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex").toUpperCase();

for (const ciphering of ["global", "dedicated"] as const)
  for (const octets of ["hex", "base64"] as const)
    test(`a head-end of another vendor reads a meter with ${ciphering} keys and ${octets}, and has seen none`, () =>
      withKeyService(async (bench) => {
        const acme = await bench.enrolled("acme");
        const meter = bench.meter;
        const { session, line, encode, decode } = await acme.associate(meter, { ciphering, octets });
        const items = Array.from({ length: 3 }, () => ({ session, apdu: encode(LDN) }));
        const sealed = await acme.ask("seal", { items, octets });
        const answers = sealed.results.map((one) => {
          assert.ok(one.kind === "sealed", JSON.stringify(one));
          return { session, apdu: encode(line.exchange(decode(one.apdu)) as Uint8Array) };
        });
        const opened = await acme.ask("open", { items: answers, octets });
        for (const one of opened.results) {
          assert.ok(one.kind === "opened", JSON.stringify(one));
          assert.equal(textOf(getResult(decode(one.apdu))), meter.logicalDeviceName);
        }
        const again = await acme.ask("open", { items: answers, octets });
        assert.deepEqual(
          again.results.map((one) => one.kind === "refused" && one.code),
          ["replayed", "replayed", "replayed"],
        );
        const [released] = (await acme.ask("release", { items: [{ session }], octets })).results;
        assert.ok(released?.kind === "send");
        line.exchange(decode(released.apdu));
        await acme.ask("close", { items: [{ session, outcome: "completed" }] });
        const entries = await bench.entries();
        const own = entries.filter(({ principal }) => principal === "head-end:acme").map(({ kind }) => kind);
        assert.deepEqual(own, ["session-opened", "session-closed"]);
      }));

test("every answer is as its schema says, and the description names every route", () =>
  withKeyService(async (bench) => {
    const acme = await bench.enrolled("acme");
    const { session } = await acme.associate(bench.meter);
    const bodies = {
      sessions: {
        items: [
          { meter: bench.meter.systemTitle, purpose: "read" },
          { meter: "0".repeat(16), purpose: "read" },
        ],
      },
      associate: { items: [{ session, apdu: "00" }] },
      seal: {
        items: [
          { session, apdu: hex(LDN) },
          { session, apdu: "C3" },
        ],
      },
      open: {
        items: [
          { session, apdu: "D8010203" },
          { session, apdu: "C401C10001" },
        ],
      },
      release: { items: [{ session }] },
      verify: { items: [{ apdu: "0F00", transport: "tcp" }] },
      close: {
        items: [
          { session, outcome: "completed" },
          { session, outcome: "completed" },
        ],
      },
    } as const;
    const fault = responseValidator();
    for (const name of Object.keys(bodies) as (keyof typeof bodies)[]) {
      const answer = await acme.post(KEY_SERVICE_ROUTES[name].path, bodies[name]);
      assert.equal(answer.status, 200, name);
      assert.equal(fault(name, answer.body), undefined, `${name}: ${JSON.stringify(answer.body)}`);
    }
    const description = (await acme.get("/v1/openapi.json")).body as { openapi: string; paths: object };
    assert.equal(description.openapi, "3.1.0");
    for (const { path } of Object.values(KEY_SERVICE_ROUTES)) assert.ok(path in description.paths, path);
    const self = (await acme.get("/v1/self")).body as { principal: string };
    assert.equal(self.principal, "head-end:acme");
  }));

test("the handshake prefers the hybrid group and lets nobody in who is not enrolled", () =>
  withKeyService(async (bench) => {
    const acme = await bench.enrolled("acme");
    assert.equal(await acme.group(), "X25519MLKEM768");
    for (const stranger of [undefined, testCredential("acme"), bench.own]) {
      const outsider = bench.client(stranger);
      await assert.rejects(outsider.get("/v1/self"));
    }
    assert.equal((await acme.get("/v1/self")).status, 200);
  }));

test("a head-end that is known by its issuer proves any certificate of its subject, and no other", () =>
  withKeyService(async (bench) => {
    const { issuer, issue } = bench.authority();
    const subject = "CN=hes-1";
    await bench.enrol("acme", { trust: { kind: "issued", issuer, subject } });
    for (const credential of [issue("hes-1"), issue("hes-1")])
      assert.equal((await bench.client(credential).get("/v1/self")).status, 200);
    assert.equal(new X509Certificate(issue("hes-2").certificate).subject, "CN=hes-2");
    await assert.rejects(bench.client(issue("hes-2")).get("/v1/self"));
    await assert.rejects(bench.client(testCredential("hes-1")).get("/v1/self"));
  }));

test("who is removed is refused at its next request, on the connection it has", () =>
  withKeyService(async (bench) => {
    const acme = await bench.enrolled("acme");
    const { session } = await acme.associate(bench.meter);
    await bench.remove("acme");
    const answer = await acme.post("/v1/seal", { items: [{ session, apdu: hex(LDN) }] }).catch(() => undefined);
    assert.ok(answer === undefined || answer.status === 403, JSON.stringify(answer));
    await assert.rejects(acme.fresh().get("/v1/self"));
  }));

test("enrolments outlive a restart, and an entry that was forged lets nobody in", () =>
  withKeyService(async (bench) => {
    await bench.enrolled("acme");
    await bench.custody.restart();
    assert.deepEqual(
      (await bench.custody.custody.service.headEnds({}, { name: "operator", role: "operator" })).headEnds.map(
        ({ headEnd }) => headEnd.name,
      ),
      ["acme"],
    );
  }));
