import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DlmsError, fromHex } from "@meterkeep/dlms";
import fc from "fast-check";
import { PkiError } from "../errors.ts";
import { issueDevice, makeAuthority, makeTree } from "../testing/test-tree.ts";
import { EXTENSIONS, extensionValue } from "../x509/extensions.ts";
import { validatePath } from "../x509/path.ts";
import { AssignmentIndex, openAssignments, signAssignments } from "./table.ts";

const tree = makeTree();
const other = makeAuthority(tree.scheme, "utility", "Other utility");
const keyOf = ({ certificate }: typeof other): Uint8Array =>
  extensionValue(EXTENSIONS.subjectKeyIdentifier, certificate.extensions)!;
const range = (first: string, last: string) => ({ first: fromHex(first), last: fromHex(last) });
const refused = (error: unknown): boolean => error instanceof PkiError && error.code === "assignment-refused";

const TABLE = {
  number: 3,
  issuedAt: new Date("2026-11-21T00:00:00Z"),
  rows: [
    { authority: keyOf(tree.utility), name: "Utility", ranges: [range("4D4B303000000000", "4D4B30300000FFFF")] },
    {
      authority: keyOf(other),
      name: "Other utility",
      ranges: [range("4D4B303000010000", "4D4B30300001FFFF"), range("4142430000000000", "4142430000000000")],
    },
  ],
} as const;

describe("the assignment table", () => {
  const index = new AssignmentIndex(TABLE);

  test("finds whose a system title is, at both ends of a range and beyond", () => {
    const owner = (title: string) => index.ownerOf(fromHex(title))?.name;
    assert.equal(owner("4D4B303000000000"), "Utility");
    assert.equal(owner("4D4B30300000FFFF"), "Utility");
    assert.equal(owner("4D4B303000010000"), "Other utility");
    assert.equal(owner("4142430000000000"), "Other utility");
    for (const nobody of ["4142430000000001", "4D4B303000020000", "0000000000000000", "FFFFFFFFFFFFFFFF"])
      assert.equal(owner(nobody), undefined, nobody);
  });

  test("an authority that issues for another's meter is caught, though its path is perfect", () => {
    const options = {
      anchors: [tree.root.certificate],
      at: new Date("2027-01-01"),
      usage: "digitalSignature",
    } as const;
    const judge = (utility: typeof other, title: string): string | undefined => {
      const issuing = makeAuthority(utility, "issuing-p256");
      const systemTitle = fromHex(title);
      const certificate = issueDevice(issuing, "dlms-suite-1-signature", { subject: { systemTitle } });
      const intermediates = [tree.scheme, utility, issuing].map((one) => one.certificate);
      const verdict = validatePath(certificate, { ...options, intermediates });
      assert.ok(verdict.isTrusted);
      return index.objection(systemTitle, verdict.path);
    };
    assert.equal(judge(tree.utility, "4D4B303000000001"), undefined);
    assert.match(judge(other, "4D4B303000000001")!, /given to Utility/);
    assert.match(judge(other, "4D4B303000020001")!, /nobody/);
  });

  test("a signed table reads back; another's signature, an older number and any change are refused", async () => {
    const octets = await signAssignments(tree.scheme.signer, TABLE);
    assert.deepEqual(openAssignments(octets, tree.scheme.certificate, 3), TABLE);
    assert.throws(() => openAssignments(octets, tree.scheme.certificate, 4), refused);
    assert.throws(() => openAssignments(octets, tree.utility.certificate), refused);
    fc.assert(
      fc.property(fc.nat(octets.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = octets.slice();
        changed[at]! ^= change;
        assert.throws(
          () => openAssignments(changed, tree.scheme.certificate),
          (error) => error instanceof DlmsError || refused(error),
        );
      }),
      { numRuns: 500 },
    );
  });

  test("ranges that overlap, run backwards or are no system titles are not signed", async () => {
    const sign = (...ranges: { first: Uint8Array; last: Uint8Array }[]) =>
      signAssignments(tree.scheme.signer, {
        ...TABLE,
        rows: [...TABLE.rows, { authority: keyOf(other), name: "Third", ranges }],
      });
    await assert.rejects(sign(range("4D4B303000005000", "4D4B303000005000")), refused);
    await assert.rejects(sign(range("5000000000000001", "5000000000000000")), refused);
    await assert.rejects(sign({ first: fromHex("4D4B30"), last: fromHex("4D4B31") }), refused);
    assert.ok(await sign(range("5000000000000000", "5000000000000001")));
  });

  test("every title in a random table belongs to the row whose range holds it", () => {
    const cuts = fc.uniqueArray(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { minLength: 4, maxLength: 40 });
    fc.assert(
      fc.property(cuts, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (points, wanted) => {
        const sorted = points.toSorted((left, right) => (left < right ? -1 : 1));
        const rows = Array.from({ length: Math.floor(sorted.length / 2) }, (_, at) => {
          const [first, last] = [sorted[2 * at]!, sorted[2 * at + 1]!];
          return {
            authority: Uint8Array.of(at),
            name: String(at),
            ranges: [{ first: title(first), last: title(last) }],
            first,
            last,
          };
        });
        const found = new AssignmentIndex({ ...TABLE, rows }).ownerOf(title(wanted));
        assert.equal(found?.name, rows.find(({ first, last }) => first <= wanted && wanted <= last)?.name);
      }),
    );
  });
});

function title(value: bigint): Uint8Array {
  return fromHex(value.toString(16).padStart(16, "0"));
}
