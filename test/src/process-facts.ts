import { readdirSync, readFileSync } from "node:fs";

/** What Linux says about a process. */
export interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  readonly uid: number;
  readonly state: string;
  readonly commandLine: string;
  /** In ticks since the machine came up: with the id, what tells it from every other. */
  readonly startedAt: number;
}

/** Reads one process; undefined when there is none, or nothing but its exit status is left. */
export function processFacts(pid: number): ProcessFacts | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const field = (name: string): string => new RegExp(`^${name}:\\s+(.*)$`, "m").exec(status)?.[1] ?? "";
    const state = field("State").charAt(0);
    if (state === "Z" || state === "X") return undefined;
    const commandLine = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    const uid = Number(field("Uid").split(/\s+/)[0]);
    return { pid, parent: Number(field("PPid")), uid, state, commandLine, startedAt: startOf(pid) };
  } catch {
    return undefined;
  }
}

/** Field 22 of `stat` (proc(5)); the second is a name in brackets, which may hold anything. */
function startOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const afterName = stat.slice(stat.lastIndexOf(")") + 2);
  return Number(afterName.split(" ")[22 - 3]);
}

/** All processes of the machine that this user may look at. */
export function allProcesses(): ProcessFacts[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => processFacts(Number(name)) ?? []);
}

/** The children of a process, theirs, and so on. */
export function descendants(pid: number): ProcessFacts[] {
  const all = allProcesses();
  const found: ProcessFacts[] = [];
  let parents = new Set([pid]);
  while (parents.size > 0) {
    const children = all.filter(({ parent }) => parents.has(parent));
    found.push(...children);
    parents = new Set(children.map((child) => child.pid));
  }
  return found;
}
