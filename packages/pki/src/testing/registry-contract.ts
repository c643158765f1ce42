import assert from "node:assert/strict";
import { test } from "node:test";
import { PkiError } from "../errors.ts";
import type { AuthorityRecord, CertificateRecord, Registry } from "../registry/registry.ts";

const AUTHORITY = "aa".repeat(20);
const OTHER = "bb".repeat(20);
const DAY = 86_400_000;

const authority = (id: string, parent?: string): AuthorityRecord => ({
  authority: id,
  utility: "stadtwerke",
  island: "mainland",
  name: `Authority ${id.slice(0, 2)}`,
  profile: "issuing-p256",
  parent,
  keyName: `authority-${id.slice(0, 2)}`,
  certificate: Uint8Array.of(1, 2, 3),
  createdAt: 1,
});

const order = (at: number, rest: Partial<CertificateRecord> = {}): CertificateRecord => ({
  authority: AUTHORITY,
  serial: at.toString(16).padStart(32, "0"),
  utility: "stadtwerke",
  island: "mainland",
  profile: "dlms-suite-1-signature",
  subject: `CN=4D4B3030${at.toString(16).toUpperCase().padStart(8, "0")}`,
  systemTitle: `4D4B3030${at.toString(16).toUpperCase().padStart(8, "0")}`,
  keyIdentifier: at.toString(16).padStart(40, "c"),
  requester: "line-1",
  notBefore: 0,
  notAfter: (100 + at) * DAY,
  orderedAt: at,
  octets: undefined,
  shard: at % 4,
  revokedAt: undefined,
  reason: undefined,
  ...rest,
});

const code = (wanted: string) => (error: unknown) => error instanceof PkiError && error.code === wanted;

/** What every adapter of `Registry` keeps to. */
export function registryContract(
  name: string,
  withRegistry: (body: (registry: Registry) => Promise<void>) => Promise<void>,
): void {
  const contract = (sentence: string, body: (registry: Registry) => Promise<void>) =>
    test(`${name}: ${sentence}`, () =>
      withRegistry(async (registry) => {
        await registry.addAuthority(authority(AUTHORITY));
        await registry.addAuthority(authority(OTHER, AUTHORITY));
        await body(registry);
      }));

  contract("authorities are remembered with their parents", async (registry) => {
    assert.deepEqual(await registry.authorities(), [authority(AUTHORITY), authority(OTHER, AUTHORITY)]);
  });

  contract("an authority keeps the MAC that it was made with", async (registry) => {
    const bound = { ...authority("cc".repeat(20)), mac: new Uint8Array(32).fill(7) };
    await registry.addAuthority(bound);
    assert.deepEqual(await registry.authorities(), [authority(AUTHORITY), authority(OTHER, AUTHORITY), bound]);
  });

  contract("a serial number is given once, signed once, and its certificate never changes", async (registry) => {
    const one = order(1);
    await registry.order([one]);
    await assert.rejects(registry.order([{ ...one, subject: "CN=another" }]), code("serial-taken"));
    await registry.order([{ ...one, authority: OTHER }]);
    assert.deepEqual(await registry.find(AUTHORITY, one.serial), one);
    await registry.issued(AUTHORITY, [{ serial: one.serial, octets: Uint8Array.of(7) }]);
    await assert.rejects(
      registry.issued(AUTHORITY, [{ serial: one.serial, octets: Uint8Array.of(8) }]),
      code("certificate-unknown"),
    );
    await assert.rejects(
      registry.issued(AUTHORITY, [{ serial: "ff".repeat(16), octets: Uint8Array.of(8) }]),
      code("certificate-unknown"),
    );
    assert.deepEqual(await registry.find(AUTHORITY, one.serial), { ...one, octets: Uint8Array.of(7) });
    assert.equal(await registry.find(AUTHORITY, "ff".repeat(16)), undefined);
  });

  contract("a certificate is revoked once and for good, and only after it was signed", async (registry) => {
    const one = order(1);
    await registry.order([one]);
    await assert.rejects(registry.revoke(AUTHORITY, [one.serial], 5, "superseded"), code("certificate-unknown"));
    await registry.issued(AUTHORITY, [{ serial: one.serial, octets: Uint8Array.of(7) }]);
    assert.deepEqual(await registry.revoke(AUTHORITY, [one.serial], 5, "keyCompromise"), [one.serial]);
    assert.deepEqual(await registry.revoke(AUTHORITY, [one.serial], 6, "superseded"), []);
    const found = await registry.find(AUTHORITY, one.serial);
    assert.deepEqual([found?.revokedAt, found?.reason], [5, "keyCompromise"]);
    assert.equal(await registry.revokeAgain(AUTHORITY, ["ee".repeat(16)], 7, "superseded"), 1);
  });

  contract("revocations of a shard come in their order, each once, and are counted", async (registry) => {
    for (let at = 1; at <= 12; at += 1) {
      await registry.order([order(at)]);
      await registry.issued(AUTHORITY, [{ serial: order(at).serial, octets: Uint8Array.of(at) }]);
      await registry.revoke(AUTHORITY, [order(at).serial], 100 - at, "superseded");
    }
    const times = async () => (await registry.revoked(AUTHORITY, 0)).map(({ revokedAt }) => revokedAt);
    assert.deepEqual(await times(), [88, 92, 96]);
    assert.equal(await registry.revokedIn(AUTHORITY, 0), 3);
    assert.deepEqual(await registry.revoked(OTHER, 0), []);
    assert.equal(await registry.revokedIn(OTHER, 0), 0);
    // Revoked before it was signed here, and once more after: shard 0 by its serial number as by its order.
    const late = order(64, { shard: 0 });
    await registry.order([late]);
    assert.equal(await registry.revokeAgain(AUTHORITY, [late.serial], 90, "superseded"), 1);
    await registry.issued(AUTHORITY, [{ serial: late.serial, octets: Uint8Array.of(7) }]);
    await registry.revoke(AUTHORITY, [late.serial], 91, "superseded");
    assert.deepEqual(await times(), [88, 91, 92, 96]);
    assert.equal(await registry.revokedIn(AUTHORITY, 0), 4);
  });

  contract("certificates are found by every field, page by page, in the order of their end", async (registry) => {
    for (let at = 1; at <= 9; at += 1)
      await registry.order([order(at, at > 6 ? { requester: "person", utility: "nachbarwerke" } : {})]);
    for (let at = 1; at <= 8; at += 1)
      await registry.issued(AUTHORITY, [{ serial: order(at).serial, octets: Uint8Array.of(at) }]);
    await registry.revoke(AUTHORITY, [order(2).serial], 5, "superseded");
    const now = 104.5 * DAY;
    const serials = async (query: Partial<Parameters<Registry["search"]>[0]>): Promise<number[]> =>
      (await registry.search({ limit: 100, ...query }, now)).map(({ serial }) => Number.parseInt(serial, 16));
    assert.deepEqual(await serials({}), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert.deepEqual(await serials({ utility: "nachbarwerke" }), [7, 8, 9]);
    assert.deepEqual(await serials({ state: "ordered" }), [9]);
    assert.deepEqual(await serials({ state: "revoked" }), [2]);
    assert.deepEqual(await serials({ state: "expired" }), [1, 3, 4]);
    assert.deepEqual(await serials({ state: "valid" }), [5, 6, 7, 8]);
    assert.deepEqual(await serials({ endsBefore: 103 * DAY }), [1, 2]);
    assert.deepEqual(await serials({ subject: "CN=4D4B303000000003" }), [3]);
    assert.deepEqual(await serials({ subject: "CN=%" }), []);
    assert.deepEqual(await serials({ systemTitle: order(4).systemTitle! }), [4]);
    assert.deepEqual(await serials({ keyIdentifier: order(5).keyIdentifier }), [5]);
    assert.deepEqual(await serials({ serial: order(6).serial, authority: AUTHORITY }), [6]);
    assert.deepEqual(await serials({ authority: OTHER }), []);
    const [first, second] = await registry.search({ limit: 2 }, now);
    assert.ok(first && second);
    assert.deepEqual(await serials({ after: second, limit: 3 }), [3, 4, 5]);
    const page = async (after: number | undefined, limit: number) =>
      (await registry.page(AUTHORITY, after === undefined ? undefined : order(after).serial, now, limit)).map(
        ({ serial }) => Number.parseInt(serial, 16),
      );
    assert.deepEqual(await page(undefined, 2), [5, 6]);
    assert.deepEqual(await page(5, 9), [6, 7, 8]);
  });

  contract("lists keep their numbers, and the newest of each kind is found", async (registry) => {
    const list = { authority: AUTHORITY, shard: 1, thisUpdate: 1, nextUpdate: 2, octets: Uint8Array.of(1) };
    await registry.addList({ ...list, number: 1n, since: undefined }, { ...list, number: 2n, since: 1n });
    await registry.addList({ ...list, number: 3n, since: undefined });
    await assert.rejects(
      registry.addList({ ...list, number: 9n, since: undefined }, { ...list, number: 3n, since: 1n }),
      code("serial-taken"),
    );
    assert.equal((await registry.newestList(AUTHORITY, 1, "full"))?.number, 3n);
    assert.equal((await registry.newestList(AUTHORITY, 1, "full", 2n))?.number, 1n);
    assert.deepEqual(await registry.newestList(AUTHORITY, 1, "delta"), { ...list, number: 2n, since: 1n });
    assert.equal(await registry.newestList(AUTHORITY, 2, "full"), undefined);
  });
}
