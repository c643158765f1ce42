import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { toHex } from "@meterkeep/dlms";
import { PkiError } from "../errors.ts";
import { memoryPkiStore } from "../registry/memory-store.ts";
import type { PkiStore } from "../registry/pki-store.ts";
import { applyDelta, openCrl } from "../revocation/crl.ts";
import { makeOcspRequest, ocspError, openOcspResponse } from "../revocation/ocsp.ts";
import { ANY_POLICY, freshKey, profileNamed, SYSTEM_TITLE } from "../testing/test-tree.ts";
import { type Certificate, decodeCertificate } from "../x509/certificate.ts";
import { validatePath } from "../x509/path.ts";
import type { Signer } from "../x509/signature.ts";
import { Authorities, authorityId } from "./authorities.ts";
import { ordersOfEntries } from "./ledgered-orders.ts";
import type { AuthorityEntry } from "./orders.ts";
import { Publisher } from "./publisher.ts";
import { replayRevocations, revocationOf } from "./replay.ts";
import { SHARDS, shardOf } from "./shards.ts";

const START = Date.UTC(2026, 10, 21);
const HOUR = 3_600_000;
const code = (wanted: string) => (error: unknown) => error instanceof PkiError && error.code === wanted;

/** A tree of four authorities over a registry, with a clock that is told. */
async function bench(store: Pick<PkiStore, "registry" | "answers"> = memoryPkiStore(), lost: string[] = []) {
  const { registry } = store;
  const clock = { at: START };
  const ledger: AuthorityEntry[] = [];
  const keys = new Map<string, Signer>();
  const refusing = { ledger: false, signing: false, whileSigning: undefined as (() => Promise<void>) | undefined };
  const open = () =>
    new Authorities({
      registry,
      signerOf: async (name) => {
        const key = keys.get(name) ?? freshKey(name.includes("issuing") ? "P-256" : "P-384");
        keys.set(name, key);
        return {
          ...key,
          sign: async (octets) => {
            if (refusing.signing) throw new Error("the process died");
            const signature = key.sign(octets);
            await refusing.whileSigning?.();
            return signature;
          },
        };
      },
      record: async (entries) => {
        if (refusing.ledger) throw new Error("the ledger is full");
        ledger.push(...entries);
      },
      orders: ordersOfEntries(() => ledger),
      lostKeys: { add: async (keys) => void lost.push(...keys), has: (key) => lost.includes(key) },
      random: randomBytes,
      now: () => clock.at,
      limitOf: (requester) => (requester === "line-1" ? 1_000_000 : 3),
    });
  const authorities = open();
  const place = { utility: "stadtwerke", island: "mainland", requester: "ceremony", policies: [ANY_POLICY] };
  const make = (name: string, profile: string, parent?: string) =>
    authorities.make({ ...place, name, profile: profileNamed(profile), keyName: name, ...(parent && { parent }) });
  const root = await make("root", "root");
  const scheme = await make("scheme", "scheme", root.authority);
  const utility = await make("utility", "utility", scheme.authority);
  const issuing = await make("issuing", "issuing-p256", utility.authority);
  const order = (requester = "line-1") => ({
    authority: issuing.authority,
    profile: profileNamed("dlms-suite-1-signature"),
    subject: { systemTitle: SYSTEM_TITLE },
    publicKey: freshKey("P-256").publicKey,
    requester,
  });
  /** What publishes, as it comes up in a process of its own. */
  const failures: unknown[] = [];
  const publish = () =>
    new Publisher(authorities, store, {
      onFailure: (error) => failures.push(error),
      deltaAddressOf: (authority, shard) => `http://lists/${authority}/${shard}-delta.crl`,
      addressOf: (id, shard) => `http://crl.example/${id}/${shard}.crl`,
      now: () => clock.at,
    });
  const publisher = publish();
  return {
    authorities,
    store,
    registry,
    clock,
    ledger,
    refusing,
    tree: { root, scheme, utility, issuing },
    order,
    publisher,
    publish,
    failures,
    open,
  };
}

const serialOf = ({ serial }: Certificate): string => toHex(serial);

describe("authorities", () => {
  test("a tree is made from the root down, and what it issues is trusted", async () => {
    const { authorities, tree, order, ledger, clock } = await bench();
    const certificate = await authorities.issue(order());
    const [root, ...between] = [tree.root, tree.scheme, tree.utility, tree.issuing].map((one) =>
      decodeCertificate(one.certificate),
    );
    const options = {
      anchors: [root!],
      intermediates: between,
      at: new Date(clock.at),
      usage: "digitalSignature",
    } as const;
    assert.ok(validatePath(certificate, options).isTrusted);
    assert.equal(authorityId(between[2]!), tree.issuing.authority);
    assert.deepEqual(
      ledger.map(({ kind }) => kind),
      [...Array<string>(4).fill("authority-made"), "certificate-ordered"],
    );
    assert.equal(ledger.at(-1)?.meter, "4D4B303000000001");
  });

  test("what the ledger does not take is not issued and not revoked", async () => {
    const { authorities, order, refusing, registry, tree } = await bench();
    const certificate = await authorities.issue(order());
    refusing.ledger = true;
    await assert.rejects(authorities.issue(order()), /ledger is full/);
    await assert.rejects(
      authorities.revoke(tree.issuing.authority, serialOf(certificate), "superseded", "person"),
      /ledger is full/,
    );
    const all = await registry.search({ authority: tree.issuing.authority, limit: 10 }, START);
    assert.deepEqual(
      all.map(({ revokedAt }) => revokedAt),
      [undefined],
    );
  });

  test("a process that dies while it signs leaves an order, and never a certificate without one", async () => {
    const { authorities, order, refusing, registry, ledger } = await bench();
    refusing.signing = true;
    await assert.rejects(authorities.issue(order()), /died/);
    const [left] = await registry.search({ limit: 10, state: "ordered" }, START);
    assert.equal(left?.octets, undefined);
    assert.equal(ledger.at(-1)?.body["serial"], left?.serial);
  });

  test("nothing reaches the ledger that its profile does not allow", async () => {
    const { authorities, order, ledger } = await bench();
    const before = ledger.length;
    const wrong = {
      ...order(),
      profile: profileNamed("dlms-suite-2-signature"),
      publicKey: freshKey("P-384").publicKey,
    };
    await assert.rejects(authorities.issue(wrong), code("issuer-unfit"));
    await assert.rejects(
      authorities.issue({ ...order(), publicKey: freshKey("P-384").publicKey }),
      code("profile-violated"),
    );
    await assert.rejects(authorities.issue({ ...order(), authority: "00".repeat(20) }), code("authority-unknown"));
    assert.equal(ledger.length, before);
  });

  test("a requester has so many a day, and its excess stands in the ledger", async () => {
    const { authorities, order, ledger, clock } = await bench();
    for (let at = 0; at < 3; at += 1) await authorities.issue(order("person"));
    await assert.rejects(authorities.issue(order("person")), code("requester-limited"));
    assert.equal(ledger.at(-1)?.kind, "requester-limited");
    await authorities.issue(order("line-1"));
    clock.at += 25 * HOUR;
    await authorities.issue(order("person"));
  });

  test("an authority out of its time issues nothing, and nothing with an end of its own outlasts its authority", async () => {
    const { authorities, order, tree, clock } = await bench();
    const { notAfter } = decodeCertificate(tree.issuing.certificate).validity;
    const tls = { ...order(), profile: profileNamed("tls-client"), subject: { names: { CN: "client" } } };
    const DAY = 24 * HOUR;
    clock.at = notAfter.getTime() - 10 * DAY;
    assert.equal((await authorities.issue(tls)).validity.notAfter.getTime(), notAfter.getTime());
    clock.at = notAfter.getTime() + 1000;
    await assert.rejects(authorities.issue(tls), code("issuer-unfit"));
    await assert.rejects(authorities.issue(order()), code("issuer-unfit"));
    clock.at = START - DAY;
    await assert.rejects(authorities.issue(order()), code("issuer-unfit"));
  });

  test("nobody but a device is named as one", async () => {
    const { authorities, order, ledger } = await bench();
    const before = ledger.length;
    for (const CN of ["4D4B303000000009", "4d4b303000000009"])
      for (const profile of ["technician", "tls-client", "edge-adapter"])
        await assert.rejects(
          authorities.issue({ ...order(), profile: profileNamed(profile), subject: { names: { CN } } }),
          code("profile-violated"),
        );
    assert.equal(ledger.length, before);
  });

  test("a revocation is for good, and a registry restored from before it is told again by the ledger", async () => {
    const { authorities, order, tree, ledger, registry } = await bench();
    const certificate = await authorities.issue(order());
    const serial = serialOf(certificate);
    assert.equal(await authorities.revoke(tree.issuing.authority, serial, "keyCompromise", "person"), true);
    assert.equal(await authorities.revoke(tree.issuing.authority, serial, "superseded", "person"), false);
    await assert.rejects(
      authorities.revoke(tree.issuing.authority, "00".repeat(16), "superseded", "person"),
      code("certificate-unknown"),
    );
    const restored = memoryPkiStore().registry;
    for (const one of await registry.authorities()) await restored.addAuthority(one);
    const record = (await registry.find(tree.issuing.authority, serial))!;
    await restored.order([{ ...record, octets: undefined, revokedAt: undefined, reason: undefined }]);
    await restored.issued(tree.issuing.authority, [{ serial, octets: certificate.octets }]);
    const revocations = ledger.flatMap((entry) => revocationOf(entry) ?? []);
    assert.equal(await replayRevocations(restored, revocations), 1);
    assert.equal((await restored.find(tree.issuing.authority, serial))?.reason, "keyCompromise");
    assert.equal(await replayRevocations(restored, revocations), 0);
    // Also one that was issued after the backup, of which nothing else is left.
    const older = memoryPkiStore().registry;
    for (const one of await registry.authorities()) await older.addAuthority(one);
    assert.equal(await replayRevocations(older, revocations), 1);
    assert.equal(await older.isRevoked(tree.issuing.authority, serial), true);
    const listed = await older.revoked(tree.issuing.authority, shardOf(certificate.serial));
    assert.deepEqual(
      listed.map((one) => [one.serial, one.reason]),
      [[serial, "keyCompromise"]],
    );
  });
});

describe("publishing", () => {
  test("full lists first, then deltas with what is new, then full lists again after half their time", async () => {
    const { authorities, order, tree, publisher, registry, clock } = await bench();
    const { authority } = tree.issuing;
    const issuer = decodeCertificate(tree.issuing.certificate);
    assert.deepEqual(await publisher.publish(authority), { full: SHARDS, delta: 0 });
    assert.deepEqual(await publisher.publish(authority), { full: 0, delta: 0 });
    const certificate = await authorities.issue(order());
    const shard = shardOf(certificate.serial);
    clock.at += HOUR;
    await authorities.revoke(authority, serialOf(certificate), "keyCompromise", "person");
    assert.deepEqual(await publisher.publish(authority), { full: 0, delta: 1 });
    const [full, delta] = [
      (await registry.newestList(authority, shard, "full"))!,
      (await registry.newestList(authority, shard, "delta"))!,
    ];
    const now = applyDelta(openCrl(full.octets, issuer), openCrl(delta.octets, issuer));
    assert.deepEqual(
      [...now.revocations].map(({ serial }) => toHex(serial)),
      [serialOf(certificate)],
    );
    assert.equal(now.shard, `http://crl.example/${authority}/${shard}.crl`);
    clock.at += HOUR;
    assert.deepEqual(await publisher.publish(authority), { full: 0, delta: 1 }, "the delta runs out");
    clock.at += 100 * HOUR;
    assert.deepEqual(await publisher.publish(authority), { full: SHARDS, delta: 0 });
    const newest = openCrl((await registry.newestList(authority, shard, "full"))!.octets, issuer);
    assert.ok(newest.number > delta.number);
    assert.equal(newest.revocations.length, 1);
    // The old delta belongs to the list before.
    assert.deepEqual(await publisher.publish(authority), { full: 0, delta: 0 });
  });

  test("a revocation that comes to the registry after a list, with a moment before it, is on the next delta", async () => {
    const { authorities, order, tree, publisher, registry, clock } = await bench();
    const { authority } = tree.issuing;
    const issuer = decodeCertificate(tree.issuing.certificate);
    const certificate = await authorities.issue(order());
    const shard = shardOf(certificate.serial);
    const revoke = registry.revoke;
    registry.revoke = async (...all) => {
      clock.at += 50;
      // Somebody fetches the list while the ledger has the revocation and the registry has not.
      await publisher.list(authority, shard, "full");
      clock.at += 10;
      return revoke(...all);
    };
    await authorities.revoke(authority, serialOf(certificate), "keyCompromise", "person");
    registry.revoke = revoke;
    const listed = async () => {
      const full = openCrl((await publisher.list(authority, shard, "full"))!.octets, issuer);
      const delta = await publisher.list(authority, shard, "delta");
      const now = delta === undefined ? full : applyDelta(full, openCrl(delta.octets, issuer));
      return [...now.revocations].map(({ serial }) => toHex(serial));
    };
    const start = clock.at;
    for (const hours of [0, 1, 24, 80, 85]) {
      clock.at = start + hours * HOUR;
      assert.deepEqual(await listed(), [serialOf(certificate)], `after ${hours} hours`);
    }
    // And one that is told again with the moment at which it was revoked, long ago.
    const other = await authorities.issue(order());
    await registry.revokeAgain(authority, [serialOf(other)], START, "superseded");
    const full = openCrl((await publisher.list(authority, shardOf(other.serial), "full"))!.octets, issuer);
    const delta = await publisher.list(authority, shardOf(other.serial), "delta");
    const named = [full, ...(delta === undefined ? [] : [openCrl(delta.octets, issuer)])];
    assert.ok(
      named.some(({ revocations }) => [...revocations].some(({ serial }) => toHex(serial) === serialOf(other))),
    );
  });

  test("a stored list that somebody has changed is signed anew, under a higher number", async () => {
    const { tree, publish, registry, clock } = await bench();
    const { authority } = tree.issuing;
    const first = (await publish().list(authority, 3, "full"))!;
    const newestList = registry.newestList;
    const strange = { ...first, octets: first.octets.with(first.octets.length - 1, first.octets.at(-1)! ^ 1) };
    registry.newestList = async (id, shard, kind) => {
      const found = await newestList(id, shard, kind);
      return found?.number === first.number ? strange : found;
    };
    clock.at += 1;
    const second = (await publish().list(authority, 3, "full"))!;
    assert.ok(second.number > first.number);
    openCrl(second.octets, decodeCertificate(tree.issuing.certificate));
  });

  test("who asks for lists of authorities that are not there is refused at once, and nothing of it is kept", async () => {
    const { tree, publisher, registry } = await bench();
    let looks = 0;
    const newestList = registry.newestList;
    registry.newestList = (...all) => {
      looks += 1;
      return newestList(...all);
    };
    for (let number = 0; number < 100; number += 1)
      await assert.rejects(publisher.list(number.toString(16).padStart(40, "0"), 0, "full"), code("authority-unknown"));
    assert.deepEqual([looks, publisher.underWay], [0, 0]);
    const lists = Array.from({ length: 8 }, () => publisher.list(tree.issuing.authority, 0, "full"));
    assert.equal(publisher.underWay, 0, "not before the authority is known");
    const numbers = (await Promise.all(lists)).map((list) => list?.number);
    assert.equal(new Set(numbers).size, 1, "one list for all who asked at once");
    assert.equal(publisher.underWay, 0);
  });

  test("answers are signed once and given many times, until the certificate is revoked", async () => {
    const { authorities, order, tree, publisher, clock, refusing } = await bench();
    const { authority } = tree.issuing;
    const issuer = decodeCertificate(tree.issuing.certificate);
    const certificate = await authorities.issue(order());
    const { serial } = certificate;
    const request = makeOcspRequest(issuer, serial);
    const status = (octets: Uint8Array) => openOcspResponse(octets, { issuer, serial, at: new Date(clock.at) });
    const first = await publisher.answer(authority, request);
    assert.deepEqual(status(first), { kind: "good" });
    assert.equal(await publisher.answer(authority, request), first);
    await authorities.revoke(authority, serialOf(certificate), "cessationOfOperation", "person");
    publisher.forget(authority, serialOf(certificate));
    assert.equal(status(await publisher.answer(authority, request)).kind, "revoked");
    const stranger = randomBytes(16);
    // Anybody may invent numbers: nothing is signed for them (RFC 5019, 2.2.3).
    refusing.signing = true;
    const unknown = await publisher.answer(authority, makeOcspRequest(issuer, stranger));
    assert.deepEqual(unknown, ocspError("unauthorized"));
    refusing.signing = false;
    assert.deepEqual(await publisher.answer(authority, Uint8Array.of(1, 2, 3)), ocspError("malformedRequest"));
    const other = makeOcspRequest(decodeCertificate(tree.utility.certificate), serial);
    assert.deepEqual(await publisher.answer(authority, other), ocspError("unauthorized"));
  });

  test("a certificate that is revoked while its answer is being signed is called good to nobody", async () => {
    const { authorities, order, tree, publisher, clock, refusing } = await bench();
    const { authority } = tree.issuing;
    const issuer = decodeCertificate(tree.issuing.certificate);
    const { serial } = await authorities.issue(order());
    const kind = (octets: Uint8Array) => openOcspResponse(octets, { issuer, serial, at: new Date(clock.at) }).kind;
    // As in a token that takes its time.
    refusing.whileSigning = async () => {
      refusing.whileSigning = undefined;
      await authorities.revoke(authority, toHex(serial), "keyCompromise", "person");
      publisher.forget(authority, toHex(serial));
    };
    assert.equal(kind(await publisher.answer(authority, makeOcspRequest(issuer, serial))), "revoked");
    assert.equal(kind(await publisher.answer(authority, makeOcspRequest(issuer, serial))), "revoked");
  });

  test("answers are signed before anybody asks, so many at a time, and renewed before they end", async () => {
    const { authorities, order, tree, publish, clock, refusing } = await bench();
    const { authority } = tree.issuing;
    const issuer = decodeCertificate(tree.issuing.certificate);
    const issued = [];
    for (let number = 0; number < 5; number += 1) issued.push(await authorities.issue(order()));
    const publisher = publish();
    // Three authorities were certified by one above them, and five devices.
    let signed = 0;
    for (let sweep = 0; sweep < 8; sweep += 1) {
      const more = await publisher.signAhead(2);
      assert.ok(more <= 2);
      signed += more;
    }
    assert.equal(signed, 3 + 5);
    refusing.signing = true;
    for (const { serial } of issued) {
      const answer = await publish().timedAnswer(authority, makeOcspRequest(issuer, serial));
      assert.equal(answer.until, clock.at + 12 * HOUR);
      assert.deepEqual(openOcspResponse(answer.octets, { issuer, serial, at: new Date(clock.at) }), { kind: "good" });
    }
    assert.equal(await publisher.signAhead(100), 0, "nothing is due");
    refusing.signing = false;
    clock.at += 8 * HOUR;
    assert.equal(await publisher.signAhead(100), 0);
    clock.at += 2 * HOUR;
    assert.equal(await publisher.signAhead(100), 8, "three hours before they end");
  });

  test("a revoked certificate's answer is signed anew in the next round, and nobody is given the one before meanwhile", async () => {
    const { authorities, order, tree, publish, clock, store } = await bench();
    const { authority } = tree.issuing;
    const issuer = decodeCertificate(tree.issuing.certificate);
    const { serial } = await authorities.issue(order());
    await publish().signAhead(100);
    await authorities.revoke(authority, toHex(serial), "keyCompromise", "person");
    const asked = () => publish().timedAnswer(authority, makeOcspRequest(issuer, serial));
    const kind = async () => openOcspResponse((await asked()).octets, { issuer, serial, at: new Date(clock.at) }).kind;
    assert.equal(await kind(), "revoked");
    const before = (await store.answers.find(authority, toHex(serial)))!;
    assert.equal(await publish().signAhead(100), 1);
    assert.equal(await kind(), "revoked");
    // Whoever puts the row back that called it good has put back nothing.
    await store.answers.put([{ ...before, isRevoked: true }]);
    assert.equal(await kind(), "revoked");
    await store.answers.put([{ ...before, octets: Uint8Array.of(1, 2, 3), until: clock.at + HOUR }]);
    assert.equal(await kind(), "revoked");
  });
});

test("while an authority's key is away its last lists are given until their own end, and who looks after it hears why", async () => {
  const { authorities, tree, order, publisher, publish, clock, refusing, failures } = await bench();
  const { authority } = tree.issuing;
  const certificate = await authorities.issue(order());
  const shard = shardOf(certificate.serial);
  const full = await publisher.list(authority, shard, "full");
  await authorities.revoke(authority, serialOf(certificate), "superseded", "person");
  const delta = await publisher.list(authority, shard, "delta");
  refusing.signing = true;
  for (const one of [publisher, publish()]) {
    clock.at += 40 * 60_000;
    failures.length = 0;
    assert.deepEqual((await one.list(authority, shard, "full"))?.octets, full?.octets);
    assert.equal(failures.length, 1);
    if (one === publisher) assert.deepEqual((await one.list(authority, shard, "delta"))?.octets, delta?.octets);
    else await assert.rejects(one.list(authority, shard, "delta"), /died/, "it has ended");
  }
  clock.at += 168 * HOUR;
  await assert.rejects(publisher.list(authority, shard, "full"), /died/);
  refusing.signing = false;
  assert.ok(((await publisher.list(authority, shard, "full"))?.number ?? 0n) > full!.number);
});

test("a key that was lost is in no authority's certificate again: not by another name, and not by one signed elsewhere", async () => {
  const lost: string[] = [];
  const { authorities, tree, order } = await bench(memoryPkiStore(), lost);
  const meter = order();
  const device = await authorities.issue(meter);
  const { utility, issuing } = tree;
  const place = { utility: "stadtwerke", island: "mainland", requester: "ceremony", policies: [ANY_POLICY] };
  const again = { ...place, name: "again", profile: profileNamed("issuing-p256"), parent: utility.authority };
  await authorities.revoke(issuing.authority, serialOf(device), "cACompromise", "person");
  assert.deepEqual(lost, [], "its key is as good as it was");
  assert.equal(await authorities.revoke(issuing.authority, serialOf(device), "keyCompromise", "person"), false);
  await assert.rejects(authorities.issue(meter), code("request-refused"), "it was lost, as was known afterwards");
  assert.equal(lost.splice(0).length, 1);
  await authorities.revoke(
    utility.authority,
    serialOf(decodeCertificate(issuing.certificate)),
    "cACompromise",
    "person",
  );
  assert.deepEqual(lost, [issuing.authority]);
  await assert.rejects(authorities.make({ ...again, keyName: "issuing" }), code("request-refused"));
  await assert.rejects(
    authorities.adopt({ ...again, keyName: "offline:again", certificate: issuing.certificate }),
    code("request-refused"),
  );
  assert.equal((await authorities.make({ ...again, keyName: "issuing-2" })).name, "again");
});
