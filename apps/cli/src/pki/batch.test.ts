import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { certified, wholeLines } from "./batch.ts";

test("of a page each line has its answer in its place, also one whose system title is none", async () => {
  const asked: string[] = [];
  const custodian = {
    issueCertificates: async ({ items }: { readonly items: readonly { readonly profile: string }[] }) => {
      asked.push(...items.map(({ profile }) => profile));
      return {
        results: items.map(({ profile }) =>
          profile === "unknown"
            ? ({ kind: "refused", message: "there is no such profile" } as const)
            : ({ kind: "issued", certificate: Uint8Array.of(1) } as const),
        ),
      };
    },
  };
  const line = (systemTitle: string, profile: string) => ({ systemTitle, profile, request: "AAAA" });
  const page = [line("4D4B303000000001", "a"), line("no title", "b"), line("4D4B303000000002", "unknown")];
  const counts = { issued: 0, refused: 0 };
  const text = await certified(custodian, "aa", [...page, line("4D4B303000000003", "c")], counts);
  const answers = text
    .trimEnd()
    .split("\n")
    .map((one) => JSON.parse(one) as Readonly<Record<string, string>>);
  assert.deepEqual(
    answers.map(({ profile, refused }) => [profile, refused !== undefined]),
    [
      ["a", false],
      ["b", true],
      ["unknown", true],
      ["c", false],
    ],
  );
  assert.match(String(answers[1]?.["refused"]), /no system title/);
  assert.deepEqual(asked, ["a", "unknown", "c"]);
  assert.deepEqual(counts, { issued: 2, refused: 2 });
});

test("a run that was cut goes on behind the last whole line of its output", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meterkeep-batch-"));
  try {
    const path = join(folder, "out.jsonl");
    assert.equal(await wholeLines(path), 0, "where there is none it begins");
    writeFileSync(path, '{"a":1}\n{"b":2}\n{"c":');
    assert.equal(await wholeLines(path), 2);
    assert.equal(readFileSync(path, "utf8"), '{"a":1}\n{"b":2}\n');
    assert.equal(await wholeLines(path), 2);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
