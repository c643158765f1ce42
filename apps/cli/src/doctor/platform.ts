import { type Finding, ok, problem } from "./finding.ts";

/** What the checks of the platform look at. */
export interface Platform {
  readonly system: string;
  readonly architecture: string;
  /** Version of glibc; absent on musl and other systems. */
  readonly glibc: string | undefined;
  readonly node: string;
  readonly memoryBytes: number;
  /** The hard limit of open files, `unlimited` or a number. */
  readonly openFiles: string | number;
}

const MIN_NODE = [24, 8] as const;
/** What the packaged Node.js binary was linked against. */
const MIN_GLIBC = [2, 28] as const;
const MIN_MEMORY_BYTES = 1_500_000_000;
const MIN_OPEN_FILES = 4_096;

/** Looks at operating system, C library, Node.js, memory and limits. */
export function checkPlatform(platform: Platform): Finding[] {
  return [system(platform), node(platform), memory(platform), openFiles(platform)];
}

function system({ system, architecture, glibc }: Platform): Finding {
  const text = `${system} ${architecture}${glibc === undefined ? "" : `, glibc ${glibc}`}`;
  const fix =
    "Bring your own: Node.js 24.8 or later, and a PostgreSQL 15 or later named in DATABASE_URL. Or run Meterkeep on Linux x64 with glibc 2.28 or later (Debian 10, Ubuntu 20.04, RHEL 8, or newer).";
  if (system !== "linux" || architecture !== "x64") {
    return problem("platform", "warning", `${text}: the packaged Node.js and PostgreSQL are for linux x64`, fix);
  }
  if (glibc === undefined) {
    return problem("platform", "warning", `${text} without glibc (musl?): the packaged programs do not run here`, fix);
  }
  return isAtLeast(glibc, MIN_GLIBC)
    ? ok("platform", text)
    : problem("platform", "failed", `${text}: the packaged Node.js needs 2.28`, fix);
}

function node({ node }: Platform): Finding {
  return isAtLeast(node, MIN_NODE)
    ? ok("node", `Node.js ${node}`)
    : problem(
        "node",
        "failed",
        `Node.js ${node} is too old`,
        "Run npm ci (without --omit=optional) and use npx meterkeep.",
      );
}

function memory({ memoryBytes }: Platform): Finding {
  const text = `${(memoryBytes / 1e9).toFixed(1)} GB of memory`;
  return memoryBytes >= MIN_MEMORY_BYTES
    ? ok("memory", text)
    : problem(
        "memory",
        "warning",
        `${text}; a town of 200 homes uses up to 1 GB`,
        "Start a smaller town: --meters 50.",
      );
}

function openFiles({ openFiles }: Platform): Finding {
  const limit = openFiles === "unlimited" ? Number.POSITIVE_INFINITY : Number(openFiles);
  return limit >= MIN_OPEN_FILES
    ? ok("open-files", `${openFiles} open files allowed`)
    : problem(
        "open-files",
        "warning",
        `only ${openFiles} open files allowed; each meter of the town takes one, each connection two`,
        "Raise the limit: ulimit -Hn 65536.",
      );
}

function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.replace(/^v/, "").split(".").map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}
