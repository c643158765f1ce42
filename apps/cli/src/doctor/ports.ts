import { createSocket } from "node:dgram";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer, isIPv6 } from "node:net";

/** A port that Meterkeep wants to listen on. */
export interface WantedPort {
  readonly transport: "tcp" | "udp";
  readonly host: string;
  readonly port: number;
  /** What it is for, in words. */
  readonly use: string;
}

/** Why a port cannot be had. */
export interface PortProblem {
  readonly wanted: WantedPort;
  /** `EADDRINUSE`, `EADDRNOTAVAIL`, `EACCES`, … */
  readonly code: string;
  /** The process that listens there, where it can be told: another user's is hidden from everybody but root. */
  readonly holder?: { readonly pid: number; readonly command: string };
}

/** Tries to listen; gives nothing when that works. */
export async function checkPort(wanted: WantedPort): Promise<PortProblem | undefined> {
  const code = await (wanted.transport === "tcp" ? tryTcp(wanted) : tryUdp(wanted));
  if (code === undefined) return undefined;
  const holder = code === "EADDRINUSE" ? findHolder(wanted) : undefined;
  return { wanted, code, ...(holder !== undefined && { holder }) };
}

/** A sentence about the problem, with what to do. */
export function describePortProblem({ wanted, code, holder }: PortProblem, option: string): string {
  const place = `${wanted.transport.toUpperCase()} ${wanted.host}:${wanted.port} (${wanted.use})`;
  if (code === "EADDRNOTAVAIL") return `${place}: this machine does not have the address ${wanted.host}`;
  if (code === "EACCES") return `${place}: this user may not listen there; choose a port above 1023 with ${option}`;
  if (code !== "EADDRINUSE") return `${place}: ${code}`;
  const who = holder === undefined ? "another process (of another user)" : `${holder.command} (process ${holder.pid})`;
  return `${place} is held by ${who}: stop it, or choose another port with ${option}`;
}

function tryTcp({ host, port }: WantedPort): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

function tryUdp({ host, port }: WantedPort): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
    socket.once("error", (error: NodeJS.ErrnoException) => {
      socket.close();
      resolve(error.code ?? error.message);
    });
    socket.bind({ address: host, port, exclusive: true }, () => socket.close(() => resolve(undefined)));
  });
}

/** TCP_LISTEN in the `st` column of /proc/net/tcp; a bound UDP socket is in state 7 (TCP_CLOSE). */
const LISTENING = { tcp: "0A", udp: "07" } as const;

function findHolder({ transport, port }: WantedPort): { pid: number; command: string } | undefined {
  const inodes = new Set<string>();
  for (const table of [transport, `${transport}6`]) {
    for (const line of readOrNothing(`/proc/net/${table}`).split("\n").slice(1)) {
      const fields = line.trim().split(/\s+/);
      const localPort = Number.parseInt(fields[1]?.split(":")[1] ?? "", 16);
      if (localPort === port && fields[3] === LISTENING[transport]) inodes.add(`socket:[${fields[9]}]`);
    }
  }
  if (inodes.size === 0) return undefined;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    if (!holdsSocket(pid, inodes)) continue;
    const command = readOrNothing(`/proc/${pid}/cmdline`).split("\0").filter(Boolean).slice(0, 3).join(" ");
    return { pid: Number(pid), command: command || readOrNothing(`/proc/${pid}/comm`).trim() };
  }
  return undefined;
}

function holdsSocket(pid: string, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((descriptor) => inodes.has(linkOf(`/proc/${pid}/fd/${descriptor}`)));
  } catch {
    return false;
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
