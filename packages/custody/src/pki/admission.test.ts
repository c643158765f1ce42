import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { systemTitle, toHex } from "@meterkeep/dlms";
import {
  type Certificate,
  decodeCertificate,
  deviceOf,
  issueCertificate,
  issueRoot,
  makeOcspRequest,
  makeRequest,
  openOcspResponse,
  PkiError,
  PROFILES,
} from "@meterkeep/pki";
import { caller } from "../testing/test-custody.ts";
import { freshKey, PLACE, type TestPki, testTitle, withTestPki } from "../testing/test-pki.ts";
import { ANY_POLICY } from "./development-tree.ts";
import { enrolByPassword, renewByCertificate } from "./est/enrolment.ts";
import { EstRefusal } from "./est/refusal.ts";
import { passwordHash, pkiService } from "./pki-service.ts";

const OPERATOR = caller("operator");
const HOUR = 3_600_000;
const code = (wanted: string) => (error: unknown) => error instanceof PkiError && error.code === wanted;
const refused = (status: number) => (error: unknown) => error instanceof EstRefusal && error.status === status;
const agreed = { require: async () => ({ hash: undefined, approvedBy: [] }) };
const device = (number: number, hwType?: string) =>
  ({ kind: "device", systemTitle: systemTitle(testTitle(number)), hwType }) as const;
const named = (field: string, text: string, entity?: Uint8Array) =>
  ({ kind: "named", fields: [{ field, text }], entity }) as const;

async function password({ pki, now }: TestPki, profile: string, subject: ReturnType<typeof named>) {
  const { authority } = await pki.issuerFor(PLACE, "P-256");
  const asked = { name: "anna", authority, profile, subject, hosts: [], endsAt: now + HOUR };
  return { name: "anna", ...(await pkiService(pki, agreed).makeEnrolmentPassword(asked, OPERATOR)) };
}

async function issueMeter({ pki }: TestPki, number: number, profile = "dlms-suite-1-signature"): Promise<Certificate> {
  const { authority } = await pki.issuerFor(PLACE, "P-256");
  const subject = { systemTitle: testTitle(number) };
  const order = { authority, profile: PROFILES.get(profile)!, subject, requester: "line-1", policies: [ANY_POLICY] };
  return pki.authorities.issue({ ...order, publicKey: freshKey().publicKey });
}

describe("enrolment over EST", () => {
  test("is for ends of TLS and not for meters: whoever has a meter's key gets no certificate for another", () =>
    withTestPki(async (bench) => {
      for (const profile of ["dlms-suite-1-signature", "dlms-suite-1-tls"]) {
        const { octets, subject } = await issueMeter(bench, 1, profile);
        await assert.rejects(renewByCertificate(bench.pki, octets, makeRequest(freshKey(), subject)), refused(403));
        await assert.rejects(password(bench, profile, named("CN", "x")), /not given over EST/);
      }
      const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
      const server = await bench.pki.authorities.issue({
        authority,
        profile: PROFILES.get("tls-server")!,
        subject: { names: { CN: "server" } },
        hosts: [{ kind: "dNSName", value: "server.example" }],
        publicKey: freshKey().publicKey,
        requester: "line-1",
      });
      await assert.rejects(
        renewByCertificate(bench.pki, server.octets, makeRequest(freshKey(), server.subject)),
        (error) => refused(403)(error) && /usage-not-allowed/.test(String(error)),
      );
    }));

  test("a password for which nothing could be issued is good again: a wrong key, a held authority, a full ledger", () =>
    withTestPki(async (bench) => {
      const basic = await password(bench, "technician", named("CN", "Anna"));
      const enrol = (curve: "P-256" | "P-384" = "P-256") =>
        enrolByPassword(bench.pki, basic, makeRequest(freshKey(curve), []));
      await assert.rejects(enrol("P-384"), code("profile-violated"));
      bench.isLedgerFull = true;
      await assert.rejects(enrol(), /full/);
      bench.isLedgerFull = false;
      const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
      const { id } = await bench.pki.revocations.plan({ authority }, "superseded", "person");
      await assert.rejects(enrol(), code("authority-held"));
      await bench.pki.revocations.move(id, "withdraw", "person");
      await bench.reopen();
      assert.ok((await enrol()).subject.length > 0);
      await assert.rejects(enrol(), refused(401), "once");
      await bench.reopen();
      await assert.rejects(enrol(), refused(401));
    }));

  test("nobody enrols under a name that reads as a device's", () =>
    withTestPki(async (bench) => {
      const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
      for (const name of ["4D4B303000000077", "4D4B303000000077\0"]) {
        await assert.rejects(password(bench, "technician", named("CN", name)), /\[profile-violated\]/);
        // Passwords of before that was looked at when they are made.
        const subject = JSON.stringify({ names: { CN: name }, hosts: [] });
        const made = { name, authority, profile: "technician", subject, madeBy: "person", madeAt: bench.now };
        const terms = { hash: passwordHash(name, "secret"), endsAt: bench.now + HOUR, usedAt: undefined };
        await bench.pki.store.passwords.add({ ...made, ...terms });
        await assert.rejects(
          enrolByPassword(bench.pki, { name, password: "secret" }, makeRequest(freshKey(), [])),
          code("profile-violated"),
        );
      }
      for (const { subject, profile, hosts } of [
        { subject: named("O", "nobody"), profile: "technician", hosts: [] },
        { subject: named("CN", "dc-7"), profile: "concentrator", hosts: [] },
        { subject: named("CN", "dc-7"), profile: "concentrator", hosts: ["*.example"] },
        { subject: named("CN", "dc-7"), profile: "concentrator", hosts: ["bücher.example"] },
        { subject: named("CN", "dc-7"), profile: "concentrator", hosts: ["fe80::1%eth0"] },
      ]) {
        const asked = { name: "dc-7", authority, profile, subject, hosts, endsAt: bench.now + HOUR };
        await assert.rejects(
          pkiService(bench.pki, agreed).makeEnrolmentPassword(asked, OPERATOR),
          /\[profile-violated\]/,
          JSON.stringify([profile, hosts]),
        );
      }
      assert.equal(bench.ledger.filter(({ kind }) => kind === "certificate-ordered").length, 0);
    }));

  test("a one-time password is an order of whoever makes it, also where its rows are gone", () =>
    withTestPki(
      async (bench) => {
        const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
        const make = () => password(bench, "technician", named("CN", "Anna"));
        const basic = await make();
        await bench.pki.authorities.issue({
          authority,
          profile: PROFILES.get("technician")!,
          subject: { names: { CN: "Ben" } },
          publicKey: freshKey().publicKey,
          policies: [ANY_POLICY],
          requester: OPERATOR.name,
        });
        await assert.rejects(make(), /\[requester-limited\]/);
        await enrolByPassword(bench.pki, basic, makeRequest(freshKey(), []));
        await bench.reopen();
        await assert.rejects(make(), /\[requester-limited\]/);
        bench.now += 24 * HOUR + 1;
        await make();
      },
      { options: { developmentTree: PLACE, limits: { operator: 2 } } },
    ));

  test("a certificate that is revoked while it is renewed takes the next one with it", () =>
    withTestPki(async (bench) => {
      const basic = await password(bench, "technician", named("CN", "Anna"));
      const { octets, serial, subject } = await enrolByPassword(bench.pki, basic, makeRequest(freshKey(), []));
      const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
      const { authorities } = bench.pki;
      let next: Certificate | undefined;
      const issue = async (order: Parameters<typeof authorities.issue>[0]) => {
        next = await authorities.issue(order);
        await authorities.revoke(authority, toHex(serial), "keyCompromise", "person");
        return next;
      };
      const racing = { ...bench.pki, authorities: { issue, revoke: authorities.revoke.bind(authorities) } };
      await assert.rejects(renewByCertificate(racing as never, octets, makeRequest(freshKey(), subject)), refused(403));
      assert.ok(await bench.pki.store.registry.isRevoked(authority, toHex(next!.serial)));
    }));
});

describe("certificates by the operator's method", () => {
  test("devices are named by their hardware modules, and organisations by their entities", () =>
    withTestPki(async (bench) => {
      const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
      const service = pkiService(bench.pki, agreed);
      const issue = async (profile: string, subject: ReturnType<typeof device> | ReturnType<typeof named>) => {
        const items = [{ profile, request: makeRequest(freshKey(), []), subject }];
        const { results } = await service.issueCertificates({ authority, items, hosts: [] }, OPERATOR);
        return results[0]!;
      };
      for (const profile of ["gbcs-device-signature", "dlms-hardware-module-suite-1-signature"]) {
        const made = await issue(profile, device(1, "1.2.826.0.1.8641679.1.2.1.1"));
        assert.ok(made.kind === "issued", JSON.stringify(made));
        const certificate = decodeCertificate(made.certificate);
        assert.equal(toHex(deviceOf(certificate)!), toHex(testTitle(1)));
        assert.ok((await bench.pki.examine(made.certificate, "digitalSignature", systemTitle(testTitle(1)))).isTrusted);
        const without = await issue(profile, device(1));
        assert.ok(without.kind === "refused" && /type of device/.test(without.message));
      }
      const entity = testTitle(9);
      const made = await issue("gbcs-organisation-signature", named("OU", "02", entity));
      assert.ok(made.kind === "issued", JSON.stringify(made));
    }));

  test("of a page each line has its answer, also where one only was fit, and that one was refused", () =>
    withTestPki(async (bench) => {
      const owner = (await bench.pki.authorities.all()).find(({ profile }) => profile === "utility")!;
      const ranges = [{ first: testTitle(1), last: testTitle(5) }];
      await bench.pki.assign([{ authority: Buffer.from(owner.authority, "hex"), name: "us", ranges }], "ceremony");
      const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
      const line = (number: number, request = makeRequest(freshKey(), [])) => ({
        profile: "dlms-suite-1-signature",
        request,
        subject: device(number),
      });
      const kinds = async (...items: ReturnType<typeof line>[]) => {
        const service = pkiService(bench.pki, agreed);
        const { results } = await service.issueCertificates({ authority, items, hosts: [] }, OPERATOR);
        return results.map(({ kind }) => kind);
      };
      assert.deepEqual(await kinds(line(1, Uint8Array.of(1, 2, 3)), line(9)), ["refused", "refused"]);
      assert.deepEqual(await kinds(line(1, Uint8Array.of(1, 2, 3)), line(2), line(9)), [
        "refused",
        "issued",
        "refused",
      ]);
      assert.deepEqual(await kinds(line(9)), ["refused"]);
      const service = pkiService(bench.pki, agreed);
      const { results } = await service.issueCertificates({ authority, items: [line(9)], hosts: [] }, OPERATOR);
      assert.ok(results[0]?.kind === "refused" && /\[assignment-violated\]$/.test(results[0].message));
    }));
});

test("nobody is given an authority's certificate for a key of its own by the operator's method", () =>
  withTestPki(async (bench) => {
    const service = pkiService(bench.pki, agreed);
    const authorities = [...PROFILES.values()].filter(({ authority }) => authority !== false);
    assert.ok(authorities.length >= 5);
    for (const { authority } of await bench.pki.authorities.all())
      for (const { name, curve } of authorities) {
        const items = [{ profile: name, request: makeRequest(freshKey(curve), []), subject: named("CN", "mine") }];
        const { results } = await service.issueCertificates({ authority, items, hosts: [] }, OPERATOR);
        assert.ok(results[0]?.kind === "refused" && /\[request-refused\]$/.test(results[0].message), name);
      }
    assert.equal(bench.ledger.filter(({ kind }) => kind === "certificate-ordered").length, 0);
  }));

test("nobody is given what calls an authority's certificates good, by the operator's method", () =>
  withTestPki(async (bench) => {
    const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
    const items = [{ profile: "ocsp-responder", request: makeRequest(freshKey(), []), subject: named("CN", "mine") }];
    const { results } = await pkiService(bench.pki, agreed).issueCertificates(
      { authority, items, hosts: [] },
      OPERATOR,
    );
    assert.ok(results[0]?.kind === "refused" && /\[request-refused\]$/.test(results[0].message));
    assert.equal(bench.ledger.filter(({ kind }) => kind === "certificate-ordered").length, 0);
  }));

test("nothing is revoked for the reason that takes revocations back", () =>
  withTestPki(async (bench) => {
    const { serial } = await issueMeter(bench, 1);
    const { authority } = await bench.pki.issuerFor(PLACE, "P-256");
    const revoking = { authority, serials: [toHex(serial)], reason: "removeFromCRL" as never };
    await assert.rejects(pkiService(bench.pki, agreed).revokeCertificates(revoking, OPERATOR), /\[request-refused\]/);
    assert.equal(await bench.pki.store.registry.isRevoked(authority, toHex(serial)), false);
  }));

describe("an adopted authority", () => {
  /** A root in a drawer, and what it signs. */
  async function drawer(bench: TestPki) {
    const key = freshKey("P-384");
    const notBefore = new Date(bench.now);
    const place = { utility: "*", island: "*", requester: "ceremony" } as const;
    const profile = PROFILES.get("root")!;
    const subject = { names: { CN: "National root" } };
    const root = issueRoot(key, { profile, subject, serial: new Uint8Array(16).fill(5), notBefore });
    const adopted = { ...place, name: "National root", profile, keyName: "offline:national", certificate: root.octets };
    const { authority } = await bench.pki.authorities.adopt(adopted);
    return { key, root, authority, place };
  }

  test("has to hold now, under an authority that stands and may have it", () =>
    withTestPki(async (bench) => {
      const { key, root, authority, place } = await drawer(bench);
      const scheme = await bench.pki.keys.make("scheme-2", "P-384");
      const sign = (serial: number, notBefore: Date, notAfter?: Date) =>
        issueCertificate(
          { certificate: root, signer: key },
          {
            profile: PROFILES.get("scheme")!,
            subject: { names: { CN: "Scheme" } },
            serial: new Uint8Array(16).fill(serial),
            notBefore,
            ...(notAfter && { notAfter }),
            publicKey: scheme.publicKey,
            policies: [ANY_POLICY],
          },
        );
      const adopt = (certificate: Certificate, parent = authority) =>
        bench.pki.authorities.adopt({
          ...place,
          name: "Scheme",
          profile: PROFILES.get("scheme")!,
          parent,
          keyName: "scheme-2",
          certificate: certificate.octets,
        });
      const now = new Date(bench.now);
      const year = 365 * 24 * HOUR;
      await assert.rejects(adopt(sign(1, new Date(bench.now + HOUR))), code("issuer-unfit"), "not yet");
      await assert.rejects(
        adopt(sign(2, new Date(bench.now - 2 * year), new Date(bench.now - year))),
        code("issuer-unfit"),
        "no more",
      );
      const before = bench.ledger.length;
      const sound = sign(3, now);
      const { id } = await bench.pki.revocations.plan({ authority }, "superseded", "person");
      await assert.rejects(adopt(sound), code("authority-held"));
      await bench.pki.revocations.move(id, "withdraw", "person");
      assert.ok(bench.ledger.slice(before).every(({ kind }) => kind !== "authority-made"));
      await adopt(sound);
    }));

  test("below one that may have none is refused, though its signature is perfect", () =>
    withTestPki(async (bench) => {
      const issuing = await bench.pki.issuerFor(PLACE, "P-384");
      const { key, certificate } = await bench.pki.authorities.open(issuing.authority);
      const { prepareRoot, certificateOf } = await import("@meterkeep/pki");
      const { publicKey } = await bench.pki.keys.make("below-1", "P-384");
      // What an issuing authority would never sign by itself: its name and key under a certificate for another authority.
      const prepared = prepareRoot({
        profile: PROFILES.get("issuing-p384")!,
        subject: { names: { CN: issuing.name } },
        publicKey,
        serial: new Uint8Array(16).fill(8),
        notBefore: new Date(bench.now),
        policies: [ANY_POLICY],
      });
      const forged = certificateOf(prepared, await key.sign(prepared.octets));
      assert.ok(forged.publicKey.curve === certificate.publicKey.curve);
      const adopted = {
        ...PLACE,
        requester: "ceremony",
        name: "Below",
        profile: PROFILES.get("issuing-p384")!,
        parent: issuing.authority,
        keyName: "below-1",
        certificate: forged.octets,
      };
      await assert.rejects(
        bench.pki.authorities.adopt(adopted),
        (error) => code("issuer-unfit")(error) && /no authority may follow/.test(String(error)),
      );
    }));
});

test("whatever revokes again is heard of: an adopted list, the ledger; no answer in memory calls it good after", () =>
  withTestPki(async (bench) => {
    const certificate = await issueMeter(bench, 1);
    const { serial } = certificate;
    const { authority, certificate: issuerOctets } = await bench.pki.issuerFor(PLACE, "P-256");
    const issuer = decodeCertificate(issuerOctets);
    const status = async () => {
      const answer = await bench.pki.publisher.answer(authority, makeOcspRequest(issuer, serial));
      return openOcspResponse(answer, { issuer, serial, at: new Date(bench.now) }).kind;
    };
    assert.equal(await status(), "good");
    const heard: string[] = [];
    using _ = bench.pki.onRevoked((_authority, serials) => void heard.push(...serials));
    // As `adoptList` and the replay of the ledger do.
    await bench.pki.store.registry.revokeAgain(authority, [toHex(serial)], bench.now, "keyCompromise");
    assert.deepEqual(heard, [toHex(serial)]);
    assert.equal(await status(), "revoked");
  }));
