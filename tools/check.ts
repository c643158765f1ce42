/** `npm run check`: types, format, lint and layers; everything CI does before it runs a test. */
import { existsSync } from "node:fs";
import { checkLayers } from "./layers.ts";
import { capture, ROOT } from "./run.ts";

interface Check {
  readonly name: string;
  readonly look: () => Promise<{ readonly ok: boolean; readonly output: string }>;
}

/** Runs every check, prints a line each, and gives how many passed and failed. */
export async function check(): Promise<{ readonly passed: number; readonly failed: number }> {
  const counts = { passed: 0, failed: 0 };
  const queue = [...types(), ...lints(), layers()];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const started = performance.now();
      const { ok, output } = await next.look();
      counts[ok ? "passed" : "failed"] += 1;
      console.log(`${ok ? "ok  " : "FAIL"} ${next.name} (${Math.round(performance.now() - started)} ms)`);
      if (!ok) console.log(output.trimEnd());
    }
  };
  await Promise.all([worker(), worker()]);
  return counts;
}

/**
 * What is compiled as Node runs it is one project, so that what everybody imports is checked once; a project of its own has
 * what runs elsewhere, and what must compile with less. (Each workspace has its `tsconfig.json` for editors besides.)
 */
const PROJECTS = [
  ".",
  "packages/dlms",
  "apps/console",
  "apps/console/tsconfig.test.json",
  "apps/custodian/tsconfig.field.json",
  "apps/custodian/tsconfig.page.json",
  "test/browser",
];

function types(): Check[] {
  return PROJECTS.map((project) => ({ name: `types ${project}`, look: () => command("tsc", ["-p", project]) }));
}

function lints(): Check[] {
  return [
    { name: "format and lint (biome)", look: () => command("biome", ["check", "--error-on-warnings", "."]) },
    { name: "typed lint (oxlint)", look: () => command("oxlint", ["--type-aware", "--deny-warnings"]) },
  ];
}

function layers(): Check {
  return {
    name: "layers",
    look: async () => {
      const complaints = checkLayers();
      return {
        ok: complaints.length === 0,
        output: complaints.map(({ file, text }) => `  ${file}: ${text}`).join("\n"),
      };
    },
  };
}

async function command(name: string, args: readonly string[]): Promise<{ ok: boolean; output: string }> {
  const { status, output } = await capture(name, args);
  return { ok: status === 0, output };
}

if (import.meta.main) {
  if (!existsSync(`${ROOT}/node_modules`)) throw new Error("run `npm ci` first");
  const { passed, failed } = await check();
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
