import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { toHex } from "@meterkeep/dlms";
import { keyIdentifier, localSigner, makeRequestWith } from "@meterkeep/pki";
import { certified, wholeLines } from "./batch.ts";

const unsearched = <T extends object>(custodian: T) => ({
  ...custodian,
  searchCertificates: async () => assert.fail("nothing is sought in a first run"),
});

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
  const text = await certified(unsearched(custodian), "aa", [...page, line("4D4B303000000003", "c")], counts);
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

test("what a run that was cut had certified, and its output lacks, is found by its key and certified once", async () => {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { x, y } = privateKey.export({ format: "jwk" }) as { readonly x: string; readonly y: string };
  const point = new Uint8Array(Buffer.concat([Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]));
  const key = { curve: "P-256", point } as const;
  const request = Buffer.from(await makeRequestWith(localSigner(privateKey, key), "line")).toString("base64");
  const profile = "dlms-suite-1-signature";
  const registry = new Map<string, Uint8Array>();
  let asked = 0;
  const custodian = {
    issueCertificates: async ({ items }: { readonly items: readonly { readonly subject: unknown }[] }) => {
      asked += items.length;
      for (const _ of items) registry.set(toHex(keyIdentifier(key, "sha-1")), Uint8Array.of(asked));
      return { results: items.map(() => ({ kind: "issued", certificate: Uint8Array.of(asked) }) as const) };
    },
    searchCertificates: async (query: { readonly keyIdentifier?: string | undefined }) => {
      const certificate = registry.get(query.keyIdentifier ?? "");
      return { certificates: certificate === undefined ? [] : ([{ profile, certificate }] as never[]) };
    },
  };
  const page = [{ systemTitle: "4D4B303000000001", profile, request }];
  const counts = { issued: 0, refused: 0 };
  const first = await certified(custodian, "aa", page, counts);
  assert.equal(await certified(custodian, "aa", page, counts, true), first);
  assert.deepEqual([asked, counts.issued], [1, 2]);
  const nonsense = [{ ...page[0]!, request: "AAAA" }];
  await certified(custodian, "aa", nonsense, counts, true);
  assert.equal(asked, 2, "what cannot be read the custodian refuses");
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
