import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import { keyForms } from "../src/key-forms.ts";
import { type Finding, type NamedSecret, scanMemory } from "../src/memory-scan.ts";

// The child gets the secret masked, so that it holds just what it is told to make of it.
const CHILD = `
  let text = "";
  process.stdin.setEncoding("utf8").on("data", (chunk) => {
    text += chunk;
    if (!text.endsWith("\\n")) return;
    const { masked, mask, form } = JSON.parse(text);
    const unmask = () => Buffer.from(masked.map((octet, at) => octet ^ mask[at]));
    const make = {
      nothing: () => 0,
      raw: unmask,
      subarray: () => unmask().subarray(),
      hex: () => unmask().toString("hex"),
      HEX: () => unmask().toString("hex").toUpperCase(),
      base64: () => unmask().toString("base64"),
      "base64 within": () => Buffer.concat([Buffer.from("key="), unmask(), Buffer.from("!")]).toString("base64"),
      base64url: () => unmask().toString("base64url"),
      "hex among others": () => ("\\u2026" + unmask().toString("hex")).split("").reverse().reverse().join(""),
      "node:crypto": () => require("node:crypto").createSecretKey(unmask()),
    };
    globalThis.kept = make[form]();
    process.stdout.write("ready\\n");
  });
`;

/** Starts a child that holds the secret in a form, runs the body, and ends it. */
async function withChild(secret: Uint8Array, form: string, body: (pid: number) => void): Promise<void> {
  const child: ChildProcess = spawn(process.execPath, ["-e", CHILD], { stdio: ["pipe", "pipe", "inherit"] });
  try {
    const mask = randomBytes(secret.length);
    const masked = secret.map((octet, at) => octet ^ mask[at]!);
    child.stdin!.write(`${JSON.stringify({ masked: [...masked], mask: [...mask], form })}\n`);
    await once(child.stdout!, "data");
    body(child.pid!);
  } finally {
    child.kill("SIGKILL");
    await once(child, "close");
  }
}

function secretsOf(count: number): NamedSecret[] {
  return Array.from({ length: count }, (_, at) => ({ name: `secret ${at}`, octets: randomBytes(16 + 16 * (at % 2)) }));
}

const formsOf = (findings: readonly Finding[]): string[] => [...new Set(findings.map(({ form }) => form))];

for (const form of ["raw", "subarray", "hex", "HEX", "base64", "base64 within", "base64url", "hex among others"]) {
  test(`a process that holds a key as ${form} is found out`, async () => {
    const secrets = secretsOf(40);
    await withChild(secrets[17]!.octets, form, (pid) => {
      const { findings } = scanMemory(pid, secrets);
      assert.deepEqual([...new Set(findings.map(({ secret }) => secret))], ["secret 17"]);
      const expected = form === "hex among others" ? "hex, two octets a character" : form.split(" ")[0]!;
      if (expected !== "subarray") assert.ok(formsOf(findings).some((name) => name.startsWith(expected)));
    });
  });
}

test("a key that node:crypto holds is found outside the heap of JavaScript", async () => {
  const secrets = secretsOf(2);
  await withChild(secrets[1]!.octets, "node:crypto", (pid) => {
    const { findings } = scanMemory(pid, secrets);
    assert.ok(findings.some(({ secret, form }) => secret === "secret 1" && form === "raw"));
  });
});

test("a process that holds none of the keys gives no finding, and goes on afterwards", async () => {
  const secrets = secretsOf(40);
  await withChild(secrets[0]!.octets, "nothing", (pid) => {
    const { findings, octetsRead, mappings } = scanMemory(pid, secrets);
    assert.deepEqual(findings, []);
    assert.ok(octetsRead > 10_000_000 && mappings > 20, `${octetsRead} octets in ${mappings} mappings`);
    process.kill(pid, 0);
  });
});

test("the forms of a key do not depend on what stands beside it", () => {
  const secret = randomBytes(17);
  const forms = keyForms(secret).map(({ octets }) => Buffer.from(octets).toString("latin1"));
  for (const lead of [0, 1, 2, 3, 4]) {
    const text = Buffer.concat([randomBytes(lead), secret, randomBytes(5)]).toString("base64url");
    assert.ok(forms.some((form) => text.includes(form)));
  }
});
