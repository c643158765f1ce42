import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TokenOptions } from "../token.ts";

/** Where Debian puts SoftHSM2; `METERKEEP_SOFTHSM` names another place. */
const SOFTHSM = process.env["METERKEEP_SOFTHSM"] ?? "/usr/lib/softhsm/libsofthsm2.so";
const SHIM_SOURCE = fileURLToPath(new URL("../../shim/fault.c", import.meta.url));
const PIN = "48151623";

/** Why there is no real token here; undefined where there is one. The test command installs what is missing. */
export function softTokenMissing(): string | undefined {
  if (!existsSync(SOFTHSM)) return `SoftHSM2 is missing: apt-get install softhsm2 (looked for ${SOFTHSM})`;
  try {
    createRequire(import.meta.url)("pkcs11js");
    return undefined;
  } catch {
    return "the binding for PKCS#11 is not built: npm test builds it";
  }
}

/** A fault of the shim, and how many calls suffer it; -1 for all until another is set. */
export type Fault =
  | { readonly kind: "none" }
  | { readonly kind: "latency"; readonly times: number; readonly milliseconds: number }
  | { readonly kind: "device-error" | "session-lost" | "wrong-handle" | "hang" | "gone"; readonly times: number }
  | { readonly kind: "wrong-wrapping" | "wrap-refused" | "general-error" | "pin-incorrect"; readonly times: number }
  | { readonly kind: "pin-last-try" | "pin-locked"; readonly times: number };

/** A directory of SoftHSM2 tokens of its own, with the shim before the library. Dispose to remove it. */
export class SoftTokens implements Disposable {
  readonly directory: string;
  readonly #control: string;
  readonly #shim: string;

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), "mk-hsm-"));
    this.#control = join(this.directory, "fault");
    mkdirSync(join(this.directory, "tokens"));
    writeFileSync(
      join(this.directory, "softhsm2.conf"),
      `directories.tokendir = ${join(this.directory, "tokens")}\nlog.level = ERROR\n`,
    );
    this.fault({ kind: "none" });
    this.#shim = buildShim(this.directory);
  }

  /** Makes a token with this label, and says how to reach it. */
  make(label: string, options: Partial<TokenOptions> = {}): TokenOptions {
    const all = ["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", PIN];
    execFileSync("softhsm2-util", all, { env: { ...process.env, ...this.#env }, stdio: ["ignore", "ignore", "pipe"] });
    return { library: this.#shim, label, pin: () => PIN, env: this.#env, ...options };
  }

  /** Another token with the label of one that is gone with all it held. */
  replace(label: string): void {
    execFileSync("softhsm2-util", ["--delete-token", "--token", label], {
      env: { ...process.env, ...this.#env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.make(label);
  }

  /** From now on calls of every token here suffer this. */
  fault(fault: Fault): void {
    const times = "times" in fault ? ` ${fault.times}` : "";
    const milliseconds = "milliseconds" in fault ? ` ${fault.milliseconds}` : "";
    writeFileSync(this.#control, `${fault.kind}${times}${milliseconds}\n`);
  }

  /**
   * How many calls are still to suffer the fault that was set last: as many as were then where no call has met it; undefined where
   * none is set, and for the moment in which a call writes the number down.
   */
  get left(): number | undefined {
    const [, left] = /^[a-z-]+ (-?\d+)/.exec(readFileSync(this.#control, "latin1")) ?? [];
    return left === undefined ? undefined : Number(left);
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  get #env(): Record<string, string> {
    return {
      SOFTHSM2_CONF: join(this.directory, "softhsm2.conf"),
      METERKEEP_SHIM_TARGET: SOFTHSM,
      METERKEEP_SHIM_CONTROL: this.#control,
    };
  }
}

/** Compiles the shim; needs a C compiler. */
function buildShim(directory: string): string {
  const headers = join(dirname(createRequire(import.meta.url).resolve("pkcs11js/package.json")), "includes");
  const library = join(directory, "fault.so");
  execFileSync(
    "cc",
    ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-I", headers, "-o", library, SHIM_SOURCE, "-ldl"],
    {
      stdio: ["ignore", "inherit", "inherit"],
    },
  );
  return library;
}
