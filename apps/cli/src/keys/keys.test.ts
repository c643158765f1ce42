import assert from "node:assert/strict";
import { test } from "node:test";
import { systemTitle } from "@meterkeep/dlms";
import { scratchTerminal } from "../testing/scratch-terminal.ts";
import { certificatesText } from "./certificates.ts";
import { reportText, statesText } from "./print.ts";
import { exposedMeters, exposedText, repeatsText } from "./repeat.ts";
import { momentOf, rotate } from "./run.ts";

const ASKED = { cause: "demand", reason: "a test" };

test("who is to be rotated is said in one way: meters, all, or by age", async () => {
  const terminal = scratchTerminal();
  await assert.rejects(rotate([], ASKED, terminal), { code: "option-invalid" });
  await assert.rejects(rotate(["4D4B560000000001"], { ...ASKED, all: true }, terminal), { code: "option-invalid" });
  await assert.rejects(rotate(["4D4B56"], ASKED, terminal), { code: "option-invalid" });
  await assert.rejects(rotate([], { ...ASKED, olderThan: "soon" }, terminal), { code: "option-invalid" });
  await assert.rejects(rotate([], { ...ASKED, all: true, purposes: "GUEK,PIN" }, terminal), { code: "option-invalid" });
  await assert.rejects(rotate([], { ...ASKED, all: true, cause: "boredom" }, terminal), { code: "option-invalid" });
});

test("a grade is chosen alone: it takes all keys, for exposure; a dry run is of a grade", async () => {
  const terminal = scratchTerminal();
  const graded = { reason: "a test", grade: "exposed" };
  for (const wrong of [{ all: true }, { cause: "demand" }, { purposes: "GUEK" }, { grade: "shielded" }])
    await assert.rejects(rotate([], { ...graded, ...wrong }, terminal), { code: "option-invalid" });
  await assert.rejects(rotate([], { ...ASKED, all: true, dryRun: true }, terminal), { code: "option-invalid" });
  await assert.rejects(rotate([], { ...graded, state: "/nonexistent" }, terminal), { code: "not-running" });
});

test("the dry run tells exposed meters by organisation over all pages, and what those need that cannot agree", async () => {
  const title = (number: number) => systemTitle(Uint8Array.of(0x4d, 0x4b, 0x56, 0, 0, 0, 0, number));
  const pages = [
    {
      meters: [
        { meter: title(1), way: "visit", holders: ["Maker"] },
        { meter: title(2), way: "agreement", holders: ["Maker", "Shipper"] },
      ],
      next: title(2),
    },
    { meters: [{ meter: title(3), way: "enrol", holders: ["Maker", "Shipper", "Reseller"] }] },
  ];
  const asked: unknown[] = [];
  const found = await exposedMeters({
    exposedMeters: async ({ after }: { readonly after?: unknown }) => {
      asked.push(after);
      return pages[asked.length - 1];
    },
  } as never);
  assert.deepEqual(asked, [undefined, title(2)]);
  const text = exposedText(found);
  assert.match(text, /^Exposed {4}3$/m);
  assert.match(text, /^Agreement {2}1 can agree/m);
  assert.match(text, / {2}3 {2}Maker\n {2}2 {2}Shipper\n {2}1 {2}Reseller\n/);
  assert.match(text, /4D4B560000000003 {2}certificates first .*Reseller\n {2}4D4B560000000001 {2}the depot/);
  const open = exposedText([...found, { meter: title(4), way: "setups", holders: ["Maker"] }]);
  assert.match(open, /^Setups {5}1 have a further security setup/m);
  assert.match(open, /4D4B560000000004 {2}its other security setups closed/);
  assert.match(
    repeatsText({ planned: 2, asked: 5, unable: 2 }),
    /for 2 of 5 .* 1 have a change open .* 2 cannot agree/,
  );
});

test("where nothing runs, that is what is said", async () => {
  const options = { ...ASKED, all: true, state: "/nonexistent" };
  await assert.rejects(rotate([], options, scratchTerminal()), { code: "not-running" });
});

test("the report has each number with what it counts", () => {
  const policy = { cryptoPeriodDays: 730, countLimit: 2 ** 31, perHour: 1500, retainDays: 400 };
  const counts = {
    meters: 53,
    planned: 9,
    underWay: 3,
    proven: 41,
    failed: 1,
    overdue: 2,
    unproven: 4,
    compromised: 5,
  };
  const text = reportText({ ...counts, policy });
  assert.match(text, /9 planned, 3 under way, 41 proven, 1 failed/);
  assert.match(text, /^Due {10}2 with a key older than 730 days$/m);
  assert.equal(statesText([]), "");
});

test("what people agreed to by its age is the same moment when it is asked for again, midnight or not, and for a day", async () => {
  const [DAY, midnight] = [86_400_000, Date.UTC(2026, 10, 23)];
  const planned = midnight - 600_000 - 90 * DAY;
  const changeAs = (state: string, body: object) => ({
    kind: "rotate-keys",
    state,
    document: JSON.stringify({ body: { meters: "every meter", cause: "demand", madeBefore: planned, ...body } }),
  });
  const asked = { cause: "demand", purposes: [] as readonly string[] };
  const momentAt = (now: number, ...changes: readonly object[]) =>
    momentOf({ changes: async () => ({ changes }) } as never, 90, asked, now);
  assert.equal(await momentAt(midnight - 600_000), planned);
  assert.equal(await momentAt(midnight + 600_000, changeAs("approved", {})), planned);
  const later = midnight + 600_000 - 90 * DAY;
  for (const other of [
    changeAs("executed", {}),
    changeAs("approved", { cause: "compromise" }),
    changeAs("planned", { purposes: ["GAK"] }),
  ])
    assert.equal(await momentAt(midnight + 600_000, other), later);
  assert.equal(await momentAt(midnight + 600_000 + DAY, changeAs("approved", {})), later + DAY, "it has expired");
});

test("certificates stand beneath their meters within 120 columns, and how enrolments stand is told once", () => {
  const certificate = {
    ...{ use: "key-agreement", subject: "CN=x", serial: "0123456789ABCDEF".repeat(2), state: "on-meter" },
    ...{ issuedBy: "Stadtwerke Musterstadt meter CA 2026", notBefore: 0, notAfter: Date.UTC(2027, 10, 22) },
  };
  const of = (meter: string, certificates: readonly object[]) => ({
    ...{ meter, suite: 1, anchor: "ordered", certificates, sentence: "It has its certificates, and has proven them." },
  });
  const noEnd = { ...certificate, use: "digital-signature", notAfter: Date.UTC(9999, 11, 31) };
  const states = [of("4D4B560000000001", [certificate, noEnd]), of("4D4B560000000002", [])];
  const lines = certificatesText(states as never)
    .trim()
    .split("\n");
  assert.ok(
    lines.every(({ length }) => length <= 120),
    lines.join("\n"),
  );
  assert.deepEqual(lines.slice(1), [
    "4D4B560000000001  suite 1, anchor ordered [1]",
    "  key-agreement      0123456789ABCDEF0123456789ABCDEF  2027-11-22  on-meter  Stadtwerke Musterstadt meter CA 2026",
    "  digital-signature  0123456789ABCDEF0123456789ABCDEF  no end      on-meter  Stadtwerke Musterstadt meter CA 2026",
    "4D4B560000000002  suite 1, anchor ordered [1]",
    "",
    "[1] 2 meters: It has its certificates, and has proven them.",
  ]);
});
