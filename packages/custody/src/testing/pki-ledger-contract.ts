import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { CERTIFICATES_REMOVED, type OrderEntry } from "@meterkeep/pki";
import type { PkiLedger } from "../pki/pki-ledger.ts";

const AUTHORITY = "ab".repeat(20);
const OTHER = "cd".repeat(20);
const METER = "4D4B303000000001";
const serial = (octet: number): string => octet.toString(16).padStart(2, "0").repeat(16);

const ordered = (authority: string, octet: number, more: Partial<OrderEntry> = {}): OrderEntry => ({
  at: octet * 10,
  kind: "certificate-ordered",
  principal: "line-1",
  meter: METER,
  body: { authority, serial: serial(octet), profile: "dlms-suite-1-tls", key: "ef".repeat(20) },
  ...more,
});

/** What every adapter of what the PKI asks of the ledger does. @param withEntries runs on a ledger with these entries */
export function pkiLedgerContract(
  name: string,
  withEntries: (entries: readonly OrderEntry[], body: (ledger: PkiLedger) => Promise<void>) => Promise<void>,
): void {
  const made = { authority: OTHER, parent: AUTHORITY, serial: serial(9), profile: "issuing-p256", name: "Below" };
  const entries: readonly OrderEntry[] = [
    { at: 1, kind: "authority-made", principal: "anna", body: made },
    ordered(AUTHORITY, 3),
    ordered(AUTHORITY, 1, { principal: "line-2", meter: undefined }),
    ordered(OTHER, 2),
    ordered(AUTHORITY, 4, { kind: "certificates-revoked" }),
    ordered(AUTHORITY, 2, { meter: "4D4B303000000002" }),
    { at: 50, kind: "enrolment-password-made", principal: "line-2", body: { name: "far-1", authority: AUTHORITY } },
  ];
  describe(`orders by ${name}`, () => {
    test("are found by serial number, those of authorities too, and by their device", () =>
      withEntries(entries, async (orders) => {
        const serials = [serial(1), serial(2), serial(4), serial(9), serial(7)];
        const found = await orders.ofSerials(AUTHORITY, serials);
        assert.deepEqual(found.map((one) => one.serial).toSorted(), [serial(1), serial(2), serial(9)]);
        const below = found.find((one) => one.serial === serial(9));
        assert.deepEqual([below?.profile, below?.key, below?.requester], ["issuing-p256", OTHER, "anna"]);
        const mine = (await orders.ofMeter(METER)).map((one) => `${one.authority}/${one.serial}`);
        assert.deepEqual(mine.toSorted(), [`${AUTHORITY}/${serial(3)}`, `${OTHER}/${serial(2)}`]);
        const [one] = await orders.ofSerials(AUTHORITY, [serial(3)]);
        assert.deepEqual(one, {
          authority: AUTHORITY,
          serial: serial(3),
          profile: "dlms-suite-1-tls",
          key: "ef".repeat(20),
          requester: "line-1",
          systemTitle: METER,
        });
      }));

    test("of an authority come in pages by serial number, and are counted for each requester", () =>
      withEntries(entries, async (orders) => {
        const first = await orders.page(AUTHORITY, undefined, 2);
        assert.deepEqual(
          first.map((one) => one.serial),
          [serial(1), serial(2)],
        );
        const second = await orders.page(AUTHORITY, serial(2), 2);
        assert.deepEqual(
          second.map((one) => one.serial),
          [serial(3)],
        );
        assert.deepEqual(await orders.page("00".repeat(20), undefined, 2), []);
        assert.equal(await orders.countSince("line-1", 0), 3);
        assert.equal(await orders.countSince("line-1", 21), 1);
        assert.deepEqual([await orders.countSince("line-2", 0), await orders.countSince("line-2", 11)], [2, 1]);
        assert.equal(await orders.countSince("nobody", 0), 0);
      }));

    test("say which meters a revocation has freed", () => {
      const [one, two, three] = ["01", "02", "03"].map((end) => `4D4B3030000000${end}`) as [string, string, string];
      const freed = (plan: string, meter: string) => {
        const body = { plan, meter, outcome: "removed" };
        return { at: 1, kind: CERTIFICATES_REMOVED, principal: "enrolment", body };
      };
      return withEntries([freed("p1", one), freed("p2", two)], async (ledger) =>
        assert.deepEqual(await ledger.freed("p1", [one, two, three]), new Set([one])),
      );
    });
  });
}
