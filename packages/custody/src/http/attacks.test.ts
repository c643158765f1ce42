import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { KEY_SERVICE_ROUTES, type KeyServiceRouteName, responseValidator } from "@meterkeep/api/key-service";
import { apdu, encode, fromHex, logicalNameOctets, systemTitle } from "@meterkeep/dlms";
import fc from "fast-check";
import { DEFAULT_LIMITS } from "../head-ends/head-end.ts";
import { getRequest } from "../protocol/requests.ts";
import { headEndFor, type KeyServiceBench, withKeyService } from "../testing/key-service-bench.ts";
import { testCredential } from "../testing/test-credential.ts";
import { MAX_BODY_BYTES } from "./body.ts";

const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex").toUpperCase();
const LDN = hex(getRequest({ classId: 1, logicalName: "0.0.42.0.0.255", attributeId: 2 }));
const OTHER = "5453540000000009";

/** Disconnects the supply. */
const DISCONNECT = hex(
  encode(apdu, {
    kind: "action-request",
    value: {
      kind: "normal",
      value: {
        invokeIdAndPriority: { invokeId: 1, confirmed: true, highPriority: true },
        method: { classId: 70, instanceId: logicalNameOctets("0.0.96.3.10.255"), methodId: 1 },
        parameters: { type: "integer", value: 0 },
      },
    },
  }),
);

test("a session is of no use to another head-end, whatever is asked of it", () =>
  withKeyService(async (bench) => {
    const [acme, rival] = [await bench.enrolled("acme"), await bench.enrolled("rival")];
    const { session, line, decode } = await acme.associate(bench.meter);
    const asked = {
      associate: { items: [{ session, apdu: "6100" }] },
      seal: { items: [{ session, apdu: LDN }] },
      open: { items: [{ session, apdu: LDN }] },
      release: { items: [{ session }] },
      close: { items: [{ session, outcome: "completed" }] },
    } as const;
    for (const [route, body] of Object.entries(asked)) {
      const { results } = (await rival.post(KEY_SERVICE_ROUTES[route as KeyServiceRouteName].path, body)).body as {
        results: { kind: string; code: string }[];
      };
      assert.deepEqual([results[0]?.kind, results[0]?.code], ["refused", "session-unknown"], route);
    }
    const [sealed] = (await acme.ask("seal", { items: [{ session, apdu: LDN }] })).results;
    assert.ok(sealed?.kind === "sealed" && line.exchange(decode(sealed.apdu)) !== undefined);
  }));

test("a meter outside a head-end's grants looks like one that is not in custody; the ledger tells them apart", () =>
  withKeyService(async (bench) => {
    await bench.add(OTHER);
    const title = systemTitle(fromHex(bench.meter.systemTitle));
    const grant = { purposes: ["read", "verify"], utility: "stadtwerke", islands: ["mainland"], meters: [] } as const;
    const granted = { ...grant, meters: [{ from: title, to: title }] };
    const grants = {
      ranged: [granted],
      elsewhere: [{ ...grant, islands: ["harbour"] }],
      abroad: [{ ...grant, utility: "another" }],
      verifier: [{ ...grant, purposes: ["verify"] as const }],
    };
    const ask = async (name: keyof typeof grants, meter: string, purpose: "read" | "configure" = "read") => {
      const client = await bench.enrolled(name, { grants: grants[name] });
      const [answer] = (await client.ask("sessions", { items: [{ meter, purpose }] })).results;
      await bench.remove(name);
      return answer?.kind === "refused" ? answer : answer?.kind;
    };
    const unknown = await ask("ranged", "54535400000000AA");
    assert.ok(typeof unknown === "object");
    for (const [name, meter, purpose] of [
      ["ranged", OTHER, "read"],
      ["ranged", bench.meter.systemTitle, "configure"],
      ["elsewhere", OTHER, "read"],
      ["abroad", OTHER, "read"],
      ["verifier", OTHER, "read"],
    ] as const) {
      const refused = await ask(name, meter, purpose);
      const detail: string = unknown.detail.replace("54535400000000AA", meter);
      assert.deepEqual(refused, { ...unknown, detail }, name);
    }
    assert.equal(await ask("ranged", bench.meter.systemTitle), "opened");
    const beyond = (await bench.entries()).filter(({ kind }) => kind === "meter-not-granted");
    assert.deepEqual(
      beyond.map(({ principal }) => principal),
      ["ranged", "ranged", "elsewhere", "abroad", "verifier"].map((name) => `head-end:${name}`),
    );
  }));

test("what switches, in a session to read or without a token, is not sealed, and hoarding ends at a budget", () =>
  withKeyService(async (bench) => {
    const acme = await bench.enrolled("acme");
    const { session } = await acme.associate(bench.meter);
    const configuring = await acme.associate(bench.meter, { purpose: "configure" });
    const items = [
      { session, apdu: DISCONNECT },
      { session, apdu: DISCONNECT, token: "A0" },
      { session: configuring.session, apdu: DISCONNECT },
    ];
    const codes = (await acme.ask("seal", { items })).results.map((one) => one.kind === "refused" && one.code);
    assert.deepEqual(codes, ["purpose-exceeded", "purpose-exceeded", "command-token-missing"]);
    const refused = (await bench.entries()).filter(({ kind }) => kind === "seal-refused");
    assert.ok(refused.length === 3 && refused.every(({ principal }) => principal === "head-end:acme"));
    const batch = Array.from({ length: 1024 }, () => ({ session, apdu: LDN }));
    const kinds = new Set<string>();
    for (let round = 0; round < 6; round += 1)
      for (const one of (await acme.ask("seal", { items: batch })).results)
        kinds.add(one.kind === "refused" ? one.code : one.kind);
    assert.deepEqual([...kinds], ["sealed", "seal-budget-exhausted"]);
    assert.ok((await bench.entries()).some(({ kind }) => kind === "seal-budget-exhausted"));
  }));

test("limits of a head-end hold: items, batch, sessions, connections", () =>
  withKeyService(async (bench) => {
    const limits = { ...DEFAULT_LIMITS, itemsPerSecond: 1, itemsBurst: 8, batch: 4, sessions: 2, connections: 3 };
    const acme = await bench.enrolled("acme", { limits });
    const item = { meter: bench.meter.systemTitle, purpose: "read" } as const;
    const tooMany = await acme.post("/v1/sessions", { items: Array.from({ length: 5 }, () => item) });
    assert.deepEqual([tooMany.status, (tooMany.body as { code: string }).code], [429, "rate-limited"]);
    const opened = await acme.ask("sessions", { items: [item, item, item, item] });
    const kinds = opened.results.map((one) => (one.kind === "refused" ? one.code : one.kind));
    assert.deepEqual(kinds, ["opened", "opened", "too-many-open", "too-many-open"]);
    await acme.ask("sessions", { items: [item, item, item, item] });
    assert.equal((await acme.post("/v1/sessions", { items: [item] })).status, 429);
    bench.custody.now += 2000;
    assert.equal((await acme.post("/v1/sessions", { items: [item] })).status, 200);
    const sockets = [];
    for (let n = 0; n < 6; n += 1) sockets.push(await acme.raw());
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(sockets.filter(({ destroyed }) => !destroyed).length <= 3);
    for (const socket of sockets) socket.destroy();
  }));

test("what is too large, too slow or no HTTP costs its sender the connection and nobody else anything", () =>
  withKeyService(
    async (bench) => {
      const acme = await bench.enrolled("acme");
      const large = await acme.send("POST", "/v1/seal", "x".repeat(MAX_BODY_BYTES + 1)).catch(() => undefined);
      assert.ok(large === undefined || large.status === 413);
      const long = { "content-type": "application/json", "x-long": "x".repeat(9000) };
      await assert.rejects(acme.send("POST", "/v1/seal", "{}", long));
      assert.equal((await acme.send("POST", "/v1/seal", "{}", { "content-type": "text/xml" })).status, 415);
      assert.equal((await acme.send("DELETE", "/v1/seal", undefined)).status, 405);
      assert.equal((await acme.post("/v1/sign", {})).status, 404);
      assert.equal((await acme.send("POST", "/v1/seal", "{")).status, 400);
      const slow = await Promise.all([acme.raw(), acme.raw(), acme.raw()]);
      const closed = slow.map((socket) => once(socket, "close"));
      slow[0]?.write("POST /v1/seal HTTP/1.1\r\nhost: x\r\n");
      slow[1]?.write(
        "POST /v1/seal HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{",
      );
      slow[2]?.write("\0\0\0\0\0 nothing of HTTP \r\n\r\n");
      assert.equal((await acme.fresh().get("/v1/self")).status, 200);
      await Promise.all(closed);
      assert.ok(
        (await bench.entries()).some(({ kind, body }) => kind === "method-not-offered" && body.includes("/v1/sign")),
      );
    },
    { patience: { headersMilliseconds: 300, requestMilliseconds: 600 } },
  ));

test("a stranger who connects and waits keeps out no head-end", () =>
  withKeyService(async (bench) => {
    const acme = await bench.enrolled("acme");
    const stranger = bench.client(testCredential("stranger"));
    const sockets = await Promise.all(Array.from({ length: 40 }, () => stranger.raw()));
    assert.equal((await acme.get("/v1/self")).status, 200);
    for (const socket of sockets) socket.destroy();
  }));

test("a stranger who connects and begins no handshake does not hold the service's end up", async () => {
  let ended: Promise<unknown> | undefined;
  const use = async (bench: KeyServiceBench) => {
    const acme = await bench.enrolled("acme");
    const stranger = connect(bench.port, "127.0.0.1");
    await once(stranger, "connect");
    ended = once(stranger, "close");
    // Whoever comes later is served, so that it is the service's by now.
    assert.equal((await acme.get("/v1/self")).status, 200);
  };
  await withKeyService(use, { patience: { handshakeMilliseconds: 3_600_000 } });
  await ended;
});

test("an enrolment that lets too much through, or nothing, is refused", () =>
  withKeyService(async (bench) => {
    const { certificate } = testCredential("acme");
    const good = headEndFor("acme", certificate);
    await bench.enrol("acme", good);
    const title = systemTitle(fromHex(OTHER));
    const lower = systemTitle(fromHex("0000000000000001"));
    for (const [change, message] of [
      [{ name: "Acme" }, /small letters/],
      [{ trust: { kind: "pinned", certificates: [] } }, /needs a certificate/],
      [{ trust: { kind: "pinned", certificates: ["PEM"] } }, /not PEM/],
      [{ trust: { kind: "issued", issuer: certificate, subject: "CN=x" } }, /no authority/],
      [{ name: "other" }, /acme's already/],
      [{ grants: [] }, /without a grant/],
      [{ grants: [{ ...good.grants[0]!, purposes: [] }] }, /no purpose/],
      [{ grants: [{ ...good.grants[0]!, meters: [{ from: title, to: lower }] }] }, /ends before/],
      [{ limits: { ...DEFAULT_LIMITS, batch: 0 } }, /limit of 0/],
    ] as const)
      await assert.rejects(bench.enrol("acme", { ...good, ...change }), (error: Error) => {
        assert.match(error.message, message);
        return true;
      });
  }));

test("no body makes any route fail, hang or answer what its schema does not name", () =>
  withKeyService(async (bench) => {
    const acme = await bench.enrolled("acme", { limits: { ...DEFAULT_LIMITS, itemsBurst: 1_000_000 } });
    const { session } = await acme.associate(bench.meter);
    const fault = responseValidator();
    const octets = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map(hex),
      fc.constantFrom(LDN, DISCONNECT, "", "6", "zz", "D8010203", "C401C10001"),
      fc.string(),
    );
    const item = fc.record(
      {
        session: fc.oneof(fc.constant(session), fc.string(), fc.constant("0".repeat(24))),
        meter: fc.oneof(fc.constantFrom(bench.meter.systemTitle, OTHER, "54535400000000AA"), fc.string()),
        purpose: fc.constantFrom("read", "configure", "sign"),
        apdu: octets,
        token: octets,
        transport: fc.constantFrom("tcp", "udp", "sms"),
        outcome: fc.constantFrom("completed", "lost", "won"),
        ciphering: fc.constantFrom("global", "dedicated", "none"),
        __proto__: fc.anything(),
      },
      { requiredKeys: [] },
    );
    const needed = {
      sessions: ["meter", "purpose"],
      associate: ["session", "apdu"],
      seal: ["session", "apdu"],
      open: ["session", "apdu"],
      release: ["session"],
      close: ["session", "outcome"],
      verify: ["apdu", "transport"],
    } as const satisfies Record<KeyServiceRouteName, readonly string[]>;
    const until = performance.now() + 1000;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...(Object.keys(needed) as KeyServiceRouteName[])),
        fc.array(item, { maxLength: 4 }),
        fc.oneof(fc.constantFrom("hex", "base64", undefined), fc.string()),
        fc.boolean(),
        fc.json(),
        async (route, items, form, isTidy, anything) => {
          if (performance.now() > until) return;
          const chosen = items.map((one) =>
            Object.fromEntries(needed[route].map((key) => [key, one[key as keyof typeof one]])),
          );
          const body = isTidy ? JSON.stringify({ items: chosen, octets: form }) : anything;
          const answer = await acme.send("POST", KEY_SERVICE_ROUTES[route].path, body);
          assert.ok(
            [200, 400, 413].includes(answer.status),
            `${answer.status} ${JSON.stringify(answer.body)} to ${body}`,
          );
          if (answer.status === 200) assert.equal(fault(route, answer.body), undefined, JSON.stringify(answer.body));
        },
      ),
      { numRuns: 2000 },
    );
  }));
