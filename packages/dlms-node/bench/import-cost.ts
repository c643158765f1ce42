import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

// What importing the published package costs: built first, then imported by new processes, which take turns with ones that
// import an empty module. Time is the import's own; memory is what the process has taken for itself since (private pages),
// beside the resident set, which counts pages of the node binary too.

const RUNS = 15;
const PROBE = fileURLToPath(new URL("import-probe.mjs", import.meta.url));
const PACKAGE = fileURLToPath(new URL("../../dlms/", import.meta.url));

interface Cost {
  readonly milliseconds: number;
  readonly privateBytes: number | undefined;
  readonly residentBytes: number;
  readonly heapBytes: number;
}

/** Builds the package and prints the cost. */
export function benchImport(): void {
  execFileSync("npm", ["run", "-s", "build"], { cwd: PACKAGE, stdio: ["ignore", "ignore", "inherit"] });
  const costs: Cost[] = [];
  const empty: Cost[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    costs.push(probe(new URL("../../dlms/dist/index.js", import.meta.url)));
    empty.push(probe(new URL("data:text/javascript,export{}")));
  }
  const value = (of: (cost: Cost) => number): number => median(costs.map(of)) - median(empty.map(of));
  const megabytes = (of: (cost: Cost) => number): string => (value(of) / 1e6).toFixed(1);
  const fastest = Math.min(...costs.map(({ milliseconds }) => milliseconds));
  const own = costs[0]?.privateBytes === undefined ? "" : `${megabytes((cost) => cost.privateBytes ?? 0)} MB private, `;
  console.log(
    `import of the built package: ${value(({ milliseconds }) => milliseconds).toFixed(1)} ms, the median of ${RUNS} ` +
      `(fastest ${fastest.toFixed(1)}; target 30); ${own}${megabytes((cost) => cost.heapBytes)} MB of heap, ` +
      `${megabytes((cost) => cost.residentBytes)} MB resident with pages of node itself (target 15)`,
  );
}

function probe(module: URL): Cost {
  return JSON.parse(execFileSync(process.execPath, [PROBE, module.href], { encoding: "utf8" })) as Cost;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
