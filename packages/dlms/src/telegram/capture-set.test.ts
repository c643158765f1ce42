// Not tests but what tests share: the recordings of real meters beside the repository, which are never copied into it.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fromHex } from "../bytes.ts";

export interface CaptureReading {
  readonly obis?: string;
  readonly value?: string | number | null;
  readonly unit?: string | null;
  readonly verdict?: string;
  readonly count?: number;
  readonly first?: readonly [number, number, string];
  readonly last?: readonly [number, number, string];
}

export interface Capture {
  readonly name: string;
  readonly kind: string;
  readonly keys: { readonly guek: string | null; readonly gak: string | null };
  readonly systemTitle: string | null;
  readonly securityControl?: string;
  readonly invocationCounter?: string;
  readonly plaintextApdu: string | null;
  readonly longInvokeIdAndPriority?: string;
  readonly frames: readonly string[];
  readonly tag?: string;
  readonly expected: readonly CaptureReading[];
}

const DIRECTORY = new URL(
  "captures/",
  process.env["METERKEEP_SHARED"] ?? new URL("../../../../../shared/", import.meta.url),
);

/** All captures, or none (with a notice) where the folder is absent. */
export function readCaptures(): readonly Capture[] {
  const path = fileURLToPath(DIRECTORY);
  if (!existsSync(path)) {
    console.log(`# the captures are not here (${path}): their tests are skipped`);
    return [];
  }
  return readdirSync(path)
    .filter((name) => name.endsWith(".json"))
    .sort()
    .map((name) => JSON.parse(readFileSync(new URL(name, DIRECTORY), "utf8")) as Capture);
}

/** The octets of a capture as they came off the wire; the plaintext where no frame was kept. */
export function captureBytes(capture: Capture): Uint8Array {
  return fromHex(capture.frames.length > 0 ? capture.frames.join("") : (capture.plaintextApdu ?? ""));
}
