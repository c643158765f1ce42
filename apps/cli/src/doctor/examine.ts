import { statSync } from "node:fs";
import { totalmem } from "node:os";
import { loopbackHosts } from "../start/configs.ts";
import type { StartConfig } from "../start/start-config.ts";
import { checkClock } from "./clock.ts";
import { checkDatabase } from "./database.ts";
import { type Finding, ok, problem } from "./finding.ts";
import { checkBinding, checkParts, checkTools } from "./parts.ts";
import { checkPlatform, type Platform } from "./platform.ts";
import { checkPort, describePortProblem, type WantedPort } from "./ports.ts";
import { checkState, checkUsers } from "./state.ts";

/** What a look at the machine found, in the order in which it is shown. */
export interface Examination {
  readonly findings: readonly Finding[];
  /** A Meterkeep runs in the state directory now. */
  readonly isRunning: boolean;
}

/** Looks at everything that `meterkeep start` with these options would need. */
export async function examine(checkout: string, config: StartConfig): Promise<Examination> {
  const isRoot = process.getuid?.() === 0;
  const state = checkState(checkout, config, isRoot);
  const files = ["package.json", "package-lock.json", "apps/cli/package.json"];
  const newestFile = Math.max(
    ...files.map((file) => statSync(`${checkout}/${file}`, { throwIfNoEntry: false })?.mtimeMs ?? 0),
  );
  const findings = [
    ...checkPlatform(thisPlatform()),
    ...checkParts(checkout, config.databaseUrl !== undefined),
    ...(await checkDatabase(checkout, state.path, config)),
    ...state.findings,
    ...checkUsers(config, isRoot),
    ...(await checkPorts(config, state.runningPid)),
    checkClock(Date.now(), newestFile, Intl.DateTimeFormat().resolvedOptions().timeZone),
    ...checkTools(),
    checkBinding(checkout),
  ];
  return { findings, isRunning: state.runningPid !== undefined };
}

function thisPlatform(): Platform {
  const report = process.report.getReport() as {
    readonly header: { readonly glibcVersionRuntime?: string };
    readonly userLimits?: { readonly open_files?: { readonly hard?: string | number } };
  };
  return {
    system: process.platform,
    architecture: process.arch,
    glibc: report.header.glibcVersionRuntime,
    node: process.version,
    memoryBytes: totalmem(),
    openFiles: report.userLimits?.open_files?.hard ?? "unlimited",
  };
}

async function checkPorts({ port, listen, pushPort }: StartConfig, runningPid: number | undefined): Promise<Finding[]> {
  const wanted: { readonly port: WantedPort; readonly option: string }[] = [
    ...loopbackHosts().map((host) => ({
      port: { transport: "tcp" as const, host, port, use: "console" },
      option: "--port",
    })),
    ...(["tcp", "udp"] as const).map((transport) => ({
      port: { transport, host: listen, port: pushPort, use: "pushes of meters" },
      option: "--push-port",
    })),
  ];
  return await Promise.all(
    wanted.map(async ({ port: wantedPort, option }) => {
      const id = `port-${wantedPort.port}-${wantedPort.transport}${wantedPort.host.includes(":") ? "6" : ""}`;
      const found = await checkPort(wantedPort);
      const place = `${wantedPort.transport.toUpperCase()} ${wantedPort.host}:${wantedPort.port} (${wantedPort.use})`;
      if (found === undefined) return ok(id, `${place} is free`);
      if (runningPid !== undefined && found.code === "EADDRINUSE")
        return ok(id, `${place} is held by Meterkeep itself`);
      return problem(id, "failed", place, describePortProblem(found, option));
    }),
  );
}
