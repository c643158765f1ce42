import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import type { Meterkeep } from "./start-meterkeep.ts";

type Installation = Pick<Meterkeep, "command" | "stateDirectory">;

/** Runs a command that has to succeed, and gives what it says as JSON. */
export async function said<T>({ command }: Installation, ...args: readonly string[]): Promise<T> {
  const { status, stdout, stderr } = await command([...args, "--json"]);
  assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
  return JSON.parse(stdout) as T;
}

/** Somebody who approves with a key file. */
export interface KeyHolder {
  readonly id: string;
  readonly file: string;
}

/** Enrols somebody with a key file; the first two at once, whoever comes later when two have agreed: `by`. */
export async function enrolKeyHolder(
  at: Installation,
  id: string,
  name: string,
  roles: string,
  ...by: readonly KeyHolder[]
): Promise<KeyHolder> {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-384" });
  const file = `${at.stateDirectory}/operator/${id}.pem`;
  writeFileSync(file, privateKey.export({ format: "pem", type: "pkcs8" }), { mode: 0o600 });
  const given = ["--name", name, "--roles", roles, "--key", file];
  const { change } = await said<{ change?: string }>(at, "approvers", "enrol", id, ...given);
  if (by.length > 0) await approve(at, change ?? "", ...by);
  return { id, file };
}

/** Has people approve a manifest or a change. */
export async function approve(at: Installation, hash: string, ...who: readonly KeyHolder[]): Promise<void> {
  for (const { id, file } of who) await said(at, "approve", hash, "--as", id, "--key", file);
}

/** The change with which the custodian accepts this head-end's tokens; to be approved. @returns its hash */
export async function planPolicyService(at: Installation): Promise<string> {
  const { name, publicKey } = await said<{ name: string; publicKey: string }>(at, "command", "policy-service");
  const body = JSON.stringify({ name, publicKey });
  return (await said<{ hash: string }>(at, "change", "plan", "enrol-policy-service", body)).hash;
}
