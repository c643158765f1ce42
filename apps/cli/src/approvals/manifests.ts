import { createHash, randomBytes } from "node:crypto";
import {
  DEFAULT_COMMAND_RULES,
  delayOf,
  directionOf,
  isWatched,
  type ManifestHeader,
  type ManifestTarget,
  operation as operationField,
  operationProblem,
  parseJson,
  planWaves,
  soakOf,
  takesOff,
  Wrong,
  writeManifest,
} from "@meterkeep/guard";
import { CliError } from "../error.ts";
import { asOperator } from "../keys/operator.ts";
import { fileOctets } from "../named-file.ts";
import type { OperatorOptions } from "../operator/options.ts";
import { type Terminal, write } from "../terminal.ts";
import type { MakeOptions } from "./options.ts";
import { manifestText } from "./print.ts";

const CHUNK_BYTES = 512 * 1024;
const HOUR = 3_600_000;

/** `meterkeep manifest list` */
export async function listManifests({ state, json }: OperatorOptions, terminal: Terminal): Promise<void> {
  const { manifests } = await asOperator(state, terminal, (custodian) => custodian.manifests({ limit: 30 }));
  const text = manifests.length === 0 ? "No manifest was ever handed in.\n" : manifests.map(manifestText).join("\n");
  await write(terminal.stdout, json === true ? `${JSON.stringify(manifests)}\n` : text);
}

/** `meterkeep manifest show` */
export async function showManifest(hash: string, { state, json }: OperatorOptions, terminal: Terminal): Promise<void> {
  const manifest = await asOperator(state, terminal, (custodian) => custodian.manifest({ hash }));
  await write(terminal.stdout, json === true ? `${JSON.stringify(manifest)}\n` : manifestText(manifest));
}

/** `meterkeep manifest submit` */
export async function submitManifest(
  file: string,
  { state, json }: OperatorOptions,
  terminal: Terminal,
): Promise<void> {
  const octets = fileOctets(file);
  const end = octets.indexOf(0x0a);
  const place = parseJson(octets.subarray(0, end < 0 ? 0 : end).toString("utf8")) as Record<string, unknown>;
  const { utility, island } = place;
  if (typeof utility !== "string" || typeof island !== "string")
    throw new CliError("input-unreadable", `${file} is no manifest: its first line names no utility and island`);
  const submitted = await asOperator(state, terminal, async (custodian) => {
    const { upload } = await custodian.beginShipment({ utility, island });
    for (let at = 0; at < octets.length; at += CHUNK_BYTES)
      await custodian.shipmentChunk({ upload, bytes: octets.subarray(at, at + CHUNK_BYTES) });
    return custodian.submitManifest({ upload });
  });
  await write(terminal.stdout, json === true ? `${JSON.stringify(submitted)}\n` : manifestText(submitted));
}

/** `meterkeep manifest make` */
export async function makeManifest(
  written: string,
  meters: readonly string[],
  { requester, reason, workOrder, utility, island, hours, load }: MakeOptions,
  terminal: Terminal,
): Promise<void> {
  const operation = operationField(parseJson(written));
  if (operation instanceof Wrong) throw new CliError("option-invalid", `the operation: ${operation.why}`);
  const problem = operationProblem(operation);
  if (problem !== undefined) throw new CliError("option-invalid", problem);
  const loadW = Number(load);
  const now = Date.now();
  const dispersion = dispersionOf(operation, meters.length);
  const waves = wavesOf(operation, meters.length);
  const waveOf = waves.flatMap(({ targets }, wave) => Array.from({ length: targets }, () => wave));
  const octets = writeManifest(
    {
      format: "meterkeep-manifest-1",
      utility,
      island,
      operation,
      targets: meters.length,
      loadAtRiskW: meters.length * loadW,
      notBefore: now,
      notAfter: now + Number(hours) * HOUR,
      requester,
      reason,
      workOrder,
      createdAt: now,
      dispersion,
      waves: [...waves],
      doubted: undefined,
      nonce: randomBytes(16).toString("hex"),
    },
    meters.map(
      (systemTitle, at): ManifestTarget => ({
        systemTitle: systemTitle.toUpperCase(),
        wave: waveOf[at] ?? 0,
        delaySeconds: delayOf(dispersion, systemTitle, sha384),
        feeder: "",
        transformer: "",
        loadW,
      }),
    ),
  );
  await write(terminal.stdout, new TextDecoder().decode(octets));
}

/** MC-12: several meters are switched off apart, as the rules want it unless somebody changed them. */
function dispersionOf(operation: ManifestHeader["operation"], meters: number) {
  if (!takesOff(directionOf(operation)) || meters < 2) return { kind: "none" } as const;
  const seed = randomBytes(32).toString("hex");
  return { kind: "geometric", ...DEFAULT_COMMAND_RULES.dispersion, seed } as const;
}

/** MC-13: what switches, and new firmware, comes in waves that are watched; anything else at once. */
function wavesOf(operation: ManifestHeader["operation"], meters: number) {
  if (!isWatched(operation)) return [{ targets: meters, soakSeconds: 0 }];
  return planWaves(meters, meters, Number.POSITIVE_INFINITY, soakOf(operation, DEFAULT_COMMAND_RULES.soakSeconds));
}

const sha384 = (octets: Uint8Array): Uint8Array => new Uint8Array(createHash("sha384").update(octets).digest());
