/**
 * `npm test`: installs what the tests need, checks, and runs every test. `npm test -- packages/dlms test/system` runs just
 * the groups and files whose name starts so. The last line is `N passed, N failed`.
 */
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { Socket } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { join, relative } from "node:path";
import { memoryDirectory } from "../packages/postgres/src/testing/memory-directory.ts";
import { check } from "./check.ts";
import { prepare } from "./prepare.ts";
import { capture, ROOT } from "./run.ts";
import type { Totals } from "./totals.ts";

interface Group {
  readonly name: string;
  readonly files: readonly string[];
  /** Files that start processes of their own: each is a part by itself. */
  readonly starts: boolean;
}

const HANGING_MS = 600_000;
/** For a part that hangs where no test does: while a file is loaded, or behind its last test. */
const PART_MS = 900_000;
/**
 * What has to be free in memory for the temporary folders of parts that start installations, each with a database of some
 * hundred megabytes, and of those that start none.
 */
const MEMORY_NEEDED_BYTES = { starting: 8_000_000_000, computing: 2_000_000_000 };
/** What parts have started may still be on its way out of the directory. */
const GUARDIAN = `
  read -r _
  for i in $(seq 60); do rm -rf "$1" 2>/dev/null && break; sleep 1; done`;
/** Files that take longer are named with what they take. */
const LONG_MS = 10_000;
/** As many files as a lane takes at a time, of those that start no installations: the others it takes one by one. */
const FILES_A_PART = 30;
/**
 * What comes first, by the beginning of its name: the shortest that starts an installation, which leaves the built pages and
 * compiled sources that all others start with; beside it what starts none; then what takes longest, so that no lane ends alone.
 */
const FIRST = [
  "test/system/roles",
  "test/operations",
  "test/package",
  "test/system/kill",
  "test/system/drill",
  "test/browser/accessibility",
  "test/browser/console",
  "test/browser/work",
  "test/system/workers",
  "test/system/operations",
  "test/system/rotation",
  "test/system/revocation",
  "packages/custody",
  "apps/cli",
  "apps/server",
];

// What one test has compiled, the others need not compile again.
process.env["NODE_COMPILE_CACHE"] = `${ROOT}/var/compile-cache`;

const wanted = process.argv.slice(2);
const counts = { passed: 0, failed: 0, skipped: 0 };
let begunParts = 0;
const bases = {
  starting: scratchBase(MEMORY_NEEDED_BYTES.starting),
  computing: scratchBase(MEMORY_NEEDED_BYTES.computing),
};
// What the first installation has built and compiled the others link to: that takes one file system.
process.env["WARM_STATE"] = join(bases.starting, "warm");

if (!existsSync(`${ROOT}/node_modules`)) throw new Error("run `npm ci` first");
if (wanted.length === 0) add({ skipped: 0, ...(await check()) });
const isWanted = (path: string): boolean => wanted.length === 0 || wanted.some((prefix) => path.startsWith(prefix));
// A name that says more than a group's is one of files.
const selected = groups()
  .map((group) => (isWanted(group.name) ? group : { ...group, files: group.files.filter(isWanted) }))
  .filter(({ files }) => files.length > 0);
for (const complaint of await prepare(selected.map(({ name }) => name))) {
  console.error(complaint);
  counts.failed += 1;
}
// What starts whole installations waits as much as it computes: two of its parts run side by side, and a third lane does
// what only computes. Who has nothing left of his own helps the others.
const [installations, others] = [selected.filter(({ starts }) => starts), selected.filter(({ starts }) => !starts)];
const queues = [ordered(installations.flatMap(parts)), ordered(others.flatMap(parts))] as const;
const lane = async (own: 0 | 1): Promise<void> => {
  for (;;) {
    const next = queues[own].shift() ?? queues[1 - own]?.shift();
    if (next === undefined) return;
    add(await runGroup(next));
  }
};
await Promise.all(availableParallelism() < 2 ? [lane(0)] : [lane(0), lane(0), lane(1)]);
if (counts.skipped > 0) console.log(`${counts.skipped} skipped (the notices above say why)`);
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed === 0 ? 0 : 1;

function groups(): Group[] {
  const found = new Map<string, string[]>();
  for (const file of globSync(
    ["packages/**/*.test.ts", "apps/**/*.test.ts", "tools/**/*.test.ts", "test/**/*.test.ts"],
    {
      cwd: ROOT,
      exclude: (name) => /(^|\/)(node_modules|dist|var)(\/|$)/.test(name),
    },
  )) {
    const [wing, room] = file.split("/") as [string, string];
    const name = wing === "tools" ? "tools" : `${wing}/${room.replace(/\.test\.ts$/, "")}`;
    found.set(name, [...(found.get(name) ?? []), file]);
  }
  const order = ["packages/dlms", "packages", "apps", "tools", "test"];
  const rank = (name: string): number => order.findIndex((prefix) => name.startsWith(prefix));
  return [...found]
    .map(([name, files]) => ({ name, files: files.sort(), starts: name.startsWith("test/") }))
    .sort((one, other) => rank(one.name) - rank(other.name) || one.name.localeCompare(other.name));
}

/** A group in parts that may run side by side, so that no lane waits for another's largest group. */
function parts(group: Group): Group[] {
  if (group.starts)
    return group.files.map((file) => ({ ...group, name: file.replace(/\.test\.ts$/, ""), files: [file] }));
  const count = Math.ceil(group.files.length / FILES_A_PART);
  if (count <= 1) return [group];
  return Array.from({ length: count }, (_, part) => ({
    ...group,
    name: `${group.name} ${part + 1}/${count}`,
    files: group.files.filter((_, place) => place % count === part),
  }));
}

/** In the order of {@link FIRST}; all else stays in its own. */
function ordered(queue: readonly Group[]): Group[] {
  const rank = ({ name }: Group): number => {
    const place = FIRST.findIndex((prefix) => name.startsWith(prefix));
    return place < 0 ? FIRST.length : place;
  };
  return queue.toSorted((one, other) => rank(one) - rank(other));
}

async function runGroup({ name, files, starts }: Group): Promise<typeof counts> {
  const scratch = scratchIn(starts ? bases.starting : bases.computing);
  const report = `${scratch}.json`;
  console.log(`# ${name} begins`);
  const begun = performance.now();
  try {
    const run = [
      "--test",
      // A part is a process already. A child of its own would tell it of its tests by a pipe, and what is last in that is lost
      // where the child is made to exit.
      "--test-isolation=none",
      "--test-concurrency=1",
      // Only for what hangs: on a quiet machine no test takes a third of it.
      `--test-timeout=${HANGING_MS}`,
      // A test that failed may leave something running: it has failed, and the others have not.
      "--test-force-exit",
      "--test-reporter=dot",
      "--test-reporter-destination=stdout",
      `--test-reporter=${ROOT}/tools/totals.ts`,
      `--test-reporter-destination=${report}`,
      ...files,
    ];
    const { status, output, isEnded } = await capture(process.execPath, run, {
      env: { TMPDIR: scratch },
      enough: AbortSignal.timeout(PART_MS),
    });
    const result = readTotals(report);
    console.log(`\n# ${name}\n${output.trimEnd()}`);
    for (const said of result.broken ?? []) console.log(said);
    // A process that dies outside a test, or tells of none, fails the part although no test has.
    const isTold = (result.passed ?? 0) + (result.skipped ?? 0) > 0;
    const failed = (result.failed ?? 0) || (status === 0 && isTold && !isEnded ? 0 : 1);
    if (isEnded) console.log(`${name} had not come to its end after ${PART_MS / 60_000} minutes, and was ended`);
    if (failed > 0 && !result.failed)
      console.log(`${name} ended with ${status}, and ${isTold ? "no test failed" : "told of no test"}`);
    const seconds = Math.round((performance.now() - begun) / 1_000);
    console.log(
      `${name}: ${result.passed ?? 0} passed, ${failed} failed, ${result.skipped ?? 0} skipped in ${seconds} s`,
    );
    for (const [file, milliseconds] of Object.entries(result.milliseconds ?? {}))
      if (milliseconds > LONG_MS) console.log(`  ${relative(ROOT, file)}: ${Math.round(milliseconds / 1_000)} s`);
    return { passed: result.passed ?? 0, failed, skipped: result.skipped ?? 0 };
  } finally {
    await clear(scratch);
  }
}

/**
 * A directory for temporary folders, which is removed when this process is gone: in memory where there is room, and programs may
 * run there. Tests write tens of gigabytes in thousands of files that have to be durable, and on a disk each is waited for.
 */
function scratchBase(neededBytes: number): string {
  const memory = memoryDirectory(neededBytes);
  const base = mkdtempSync(join(memory !== undefined && runsPrograms(memory) ? memory : tmpdir(), "mk-"));
  chmodSync(base, 0o755);
  const guardian = spawn("/bin/sh", ["-c", GUARDIAN, "guardian", base], {
    cwd: "/",
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  guardian.unref();
  (guardian.stdin as Socket).unref();
  return base;
}

/** Many systems forbid it for what lies in memory. */
function runsPrograms(directory: string): boolean {
  const own = mkdtempSync(join(directory, "mk-"));
  try {
    writeFileSync(join(own, "program"), "#!/bin/sh\n", { mode: 0o700 });
    return spawnSync(join(own, "program")).status === 0;
  } finally {
    rmSync(own, { recursive: true });
  }
}

/** The temporary folder of a part: for every user, as `/tmp` is, and with a short path, since sockets are in it. */
function scratchIn(base: string): string {
  begunParts += 1;
  const scratch = join(base, String(begunParts));
  mkdirSync(scratch);
  chmodSync(scratch, 0o1777);
  return scratch;
}

/** Removes a part's folder with what its tests have left there. What they have started may be on its way out of it. */
async function clear(scratch: string): Promise<void> {
  try {
    await rm(scratch, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  } catch (error) {
    console.log(`${scratch} could not be removed: ${String(error)}`);
  }
}

/** What a part came to; nothing of one that died before it could say. */
function readTotals(report: string): Partial<Totals> {
  try {
    return JSON.parse(readFileSync(report, "utf8")) as Totals;
  } catch {
    return {};
  }
}

function add(more: typeof counts): void {
  counts.passed += more.passed;
  counts.failed += more.failed;
  counts.skipped += more.skipped;
}
