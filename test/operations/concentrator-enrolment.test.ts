import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { listenForEnrolment } from "@meterkeep/custody";
import { connectTls, listenTls } from "@meterkeep/dlms-node";
import { OwnIdentity, toPem } from "@meterkeep/pki";
import { pkiService } from "../../packages/custody/src/pki/pki-service.ts";
import { caller } from "../../packages/custody/src/testing/test-custody.ts";
import { PLACE, withTestPki } from "../../packages/custody/src/testing/test-pki.ts";

const NAME = "dc-7";
const DAY_MS = 86_400_000;

/** An enrolment service on a real socket, and a concentrator's folder. */
function withService(
  body: (bench: {
    /** How far the concentrator's clock is ahead of everybody else's. Milliseconds. */
    ahead: number;
    readonly file: string;
    open(password?: string): Promise<OwnIdentity>;
    password(): Promise<string>;
    /** Who ordered the certificates that there are for it. */
    requesters(): Promise<readonly string[]>;
  }) => Promise<void>,
): Promise<void> {
  return withTestPki(async (bench) => {
    // Connections are judged at the clock of the machine.
    bench.now = Date.now();
    const service = await listenForEnrolment({
      pki: bench.pki,
      bursts: { record: async () => undefined },
      host: "127.0.0.1",
      port: 0,
      names: ["127.0.0.1"],
      place: PLACE,
      onFailure: (error) => {
        throw error;
      },
    });
    const methods = pkiService(bench.pki, { require: async () => ({ hash: undefined, approvedBy: [] }) });
    const [root] = await bench.pki.authorities.all();
    const authorities = toPem("CERTIFICATE", root!.certificate);
    const place = { host: "127.0.0.1", port: service.port, authorities };
    let ahead = 0;
    try {
      await body({
        get ahead() {
          return ahead;
        },
        set ahead(milliseconds) {
          ahead = milliseconds;
        },
        file: join(bench.folder, `${NAME}.identity.pem`),
        open: (password) =>
          OwnIdentity.open({
            file: join(bench.folder, `${NAME}.identity.pem`),
            name: NAME,
            place,
            password,
            now: () => bench.now + ahead,
          }),
        password: async () => {
          const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
          const subject = { kind: "named", fields: [{ field: "CN", text: NAME }], entity: undefined } as const;
          const asked = { name: NAME, authority, profile: "concentrator", subject, hosts: ["127.0.0.1"] } as const;
          const order = { ...asked, hosts: [...asked.hosts], endsAt: bench.now + DAY_MS };
          return (await methods.makeEnrolmentPassword(order, caller("operator"))).password;
        },
        requesters: async () => {
          const found = await bench.pki.store.registry.search({ subject: `CN=${NAME}`, limit: 9 }, bench.now);
          return found.map(({ requester }) => requester).sort();
        },
      });
    } finally {
      await service.close();
    }
  });
}

const serialOf = ({ current }: OwnIdentity): string => new X509Certificate(current.certificate).serialNumber;

test("a concentrator makes its key, enrols once with its password, and needs nobody when it comes up again", () =>
  withService(async (bench) => {
    await assert.rejects(bench.open(), { code: "enrolment-refused" }, "without a password");
    await assert.rejects(bench.open("wrong"), /401/);
    const identity = await bench.open(await bench.password());
    assert.equal(statSync(bench.file).mode & 0o777, 0o600);
    assert.equal(serialOf(await bench.open()), serialOf(identity));
    assert.equal(await identity.tend(), false, "nothing is due");
    assert.deepEqual(await bench.requesters(), [`est:${NAME}`]);
  }));

test("it renews with the certificate that it has when a third of its time is left, with another key, and its next connection has it", () =>
  withService(async (bench) => {
    const identity = await bench.open(await bench.password());
    const before = identity.current;
    await using listener = await listenTls({ ...before, onConnection: (socket) => void socket.resume() });
    const shown = async (): Promise<string> => {
      const target = { host: "127.0.0.1", port: listener.port, peer: NAME, connectTimeoutMilliseconds: 60_000 };
      const socket = await connectTls({ ...target, ...identity.current });
      const { serialNumber } = socket.getPeerCertificate();
      assert.equal((socket.getEphemeralKeyInfo() as { readonly name?: string }).name, "X25519MLKEM768");
      await once(socket.resume().end(), "close");
      return serialNumber;
    };
    const first = serialOf(identity);
    assert.equal(await shown(), first);
    bench.ahead = 4 * 365 * DAY_MS;
    assert.equal(await identity.tend(), true);
    assert.notEqual(serialOf(identity), first);
    assert.notEqual(identity.current.privateKey, before.privateKey);
    assert.equal(serialOf(await bench.open()), serialOf(identity));
    assert.deepEqual(await bench.requesters(), [`est:${NAME}`, `est:CN=${NAME}`].sort());
    listener.renew(identity.current);
    assert.equal(await shown(), serialOf(identity));
  }));

test("killed before its certificate was kept, it enrols with another password; killed in a renewal, it goes on with what it had", () =>
  withService(async (bench) => {
    const password = await bench.password();
    await bench.open(password);
    rmSync(bench.file);
    await assert.rejects(bench.open(password), /401/, "a password is good once");
    const identity = await bench.open(await bench.password());
    const kept = readFileSync(bench.file);
    bench.ahead = 4 * 365 * DAY_MS;
    await identity.tend();
    writeFileSync(bench.file, kept);
    const again = await bench.open();
    assert.equal(again.current.certificate, kept.toString().slice(kept.indexOf("-----BEGIN CERTIFICATE")));
    assert.equal(await again.tend(), true, "the certificate before renews as long as it holds");
  }));
