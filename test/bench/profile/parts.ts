import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { Meterkeep } from "../../src/start-meterkeep.ts";
import { until } from "../../src/until.ts";

/** A V8 CPU profile, as far as it is read here. */
interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
  /** Collections of garbage while it was profiled, by kind, and what the process held at the end: of `launch.ts`, not of V8. */
  readonly garbage: Readonly<Record<string, { readonly count: number; readonly milliseconds: number }>>;
  readonly memory: NodeJS.MemoryUsage;
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

/** What the code of a file is for; the first that fits counts. What V8 names in brackets has no file. */
const PARTS: readonly (readonly [RegExp, string])[] = [
  [/\(idle\)|node:inspector|^data:/, "idle"],
  [/\(garbage collector\)/, "garbage collection"],
  [/\(program\)/, "native: sockets, TLS, kernel"],
  [/packages\/api\/src\/custodian|custody\/src\/channel|custodian-associator|_tls_/, "custodian channel"],
  [/node_modules\/(pg|pgpass|postgres)|packages\/postgres/, "database driver"],
  [
    /headend\/src\/(reading|database|inventory|view)\/|(session|trust|takeover)\/write|work\/(results|postgres-queue)|packed-ladder/,
    "database: rows",
  ],
  [/packages\/dlms-node\/src\/crypto/, "ciphers"],
  [/packages\/dlms\/src\/|profile-rows|meter-reader|event-reader|day-values/, "codec"],
  [/packages\/dlms-node\/|headend\/src\/route\//, "sockets to meters"],
  [/session-recorder|session\/ladder|reading-session/, "session and evidence"],
  [/headend\/src\/(event|outbox|campaign)\/|apps\/server\/src/, "pages and events"],
  [/headend\/src\/work\//, "scheduling"],
  [/packages\/custody\/src\/(store|evidence|ledger)|packages\/ledger/, "store and ledger"],
  [/packages\/custody\//, "custody"],
  [/packages\/meter\/|apps\/town/, "virtual meter"],
];
const FILES: Readonly<Record<string, string>> = {
  server: "head-end/config",
  custodian: "custodian/config",
  town: "town/config",
};
const REST = "Node: streams, timers, promises";

/** What a profile says of a process. */
export interface ProcessProfile {
  /** Milliseconds of each part, longest first. */
  readonly parts: ReadonlyMap<string, number>;
  /** Collections of garbage and memory, in words. */
  readonly memory: string;
}

/**
 * Profiles the processes of a Meterkeep that was started with `launch.ts` loaded, by name of the process.
 * The profiles are left in the temporary directory, for a closer look with the tools of a browser.
 */
export async function profileOf(
  meterkeep: Pick<Meterkeep, "pids" | "stateDirectory">,
  milliseconds: number,
): Promise<ReadonlyMap<string, ProcessProfile>> {
  const pids = meterkeep.pids();
  const chosen = Object.keys(pids).filter((name) => /^(?:server|custodian|town|worker-\d)$/.test(name));
  for (const name of chosen) process.kill(pids[name] as number, "SIGUSR2");
  await sleep(milliseconds);
  for (const name of chosen) process.kill(pids[name] as number, "SIGUSR2");
  const profiles = new Map<string, ProcessProfile>();
  for (const name of chosen) {
    const file = `${meterkeep.stateDirectory}/${FILES[name] ?? `head-end/${name}`}.cpuprofile`;
    await until(`the profile of ${name} is written`, async () => existsSync(file));
    copyFileSync(file, `${tmpdir()}/meterkeep-${name}.cpuprofile`);
    const profile = JSON.parse(readFileSync(file, "utf8")) as CpuProfile;
    profiles.set(name, { parts: partsOf(profile), memory: memoryOf(profile, milliseconds) });
  }
  return profiles;
}

function memoryOf({ garbage, memory }: CpuProfile, milliseconds: number): string {
  const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MB`;
  const collections = Object.entries(garbage).map(
    ([kind, { count, milliseconds: spent }]) =>
      `${kind} ${((count * 1000) / milliseconds).toFixed(1)} a second of ${(spent / count).toFixed(1)} ms`,
  );
  const { rss, heapTotal, heapUsed, external, arrayBuffers } = memory;
  return `collections: ${collections.join(", ") || "none"}; ${megabytes(rss)} resident, heap ${megabytes(heapUsed)} of ${megabytes(heapTotal)}, outside ${megabytes(external)}, buffers ${megabytes(arrayBuffers)}`;
}

/** Milliseconds of each part of a profile, longest first; a sample counts for the innermost frame that is of a part. */
function partsOf(profile: CpuProfile): ReadonlyMap<string, number> {
  const partOf = new Map<number, string>();
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const root = profile.nodes[0];
  const open: (readonly [ProfileNode, string])[] = root === undefined ? [] : [[root, REST]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [node, above] = next;
    const where = `${node.callFrame.url} ${node.callFrame.functionName}`;
    const part = PARTS.find(([file]) => file.test(where))?.[1] ?? above;
    partOf.set(node.id, part);
    for (const child of node.children ?? []) open.push([byId.get(child) as ProfileNode, part]);
  }
  const sums = new Map<string, number>();
  for (const [at, id] of profile.samples.entries()) {
    const part = partOf.get(id) ?? REST;
    sums.set(part, (sums.get(part) ?? 0) + (profile.timeDeltas[at] ?? 0) / 1000);
  }
  return new Map([...sums].sort(([, one], [, other]) => other - one));
}
