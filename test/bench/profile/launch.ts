import childProcess from "node:child_process";
import { syncBuiltinESMExports } from "node:module";

// Loaded into `meterkeep start` by a bench that profiles: the processes that it starts get a sampling profiler, which SIGUSR2
// starts, and ends the next time. The profile goes beside the configuration file of the process, as `NAME.cpuprofile`.

const PROFILED = /\/apps\/(?:server|custodian|town)\/src\/(?:worker-)?main\.ts$/;

const PROFILER = `
  import { Session } from "node:inspector";
  import { writeFileSync } from "node:fs";
  import { constants, PerformanceObserver } from "node:perf_hooks";
  const KINDS = {
    [constants.NODE_PERFORMANCE_GC_MINOR]: "young",
    [constants.NODE_PERFORMANCE_GC_MAJOR]: "whole",
    [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: "step",
    [constants.NODE_PERFORMANCE_GC_WEAKCB]: "weak",
  };
  let session, collected = {};
  const observer = new PerformanceObserver((list) => {
    for (const { duration, detail } of list.getEntries()) {
      const isPressed = (detail.flags & constants.NODE_PERFORMANCE_GC_FLAGS_ALL_EXTERNAL_MEMORY) !== 0;
      const kind = KINDS[detail.kind] + (isPressed ? " (memory outside)" : "");
      const sum = (collected[kind] ??= { count: 0, milliseconds: 0 });
      sum.count += 1;
      sum.milliseconds += duration;
    }
  });
  process.on("SIGUSR2", () => {
    if (session === undefined) {
      collected = {};
      observer.observe({ entryTypes: ["gc"] });
      session = new Session();
      session.connect();
      session.post("Profiler.enable");
      session.post("Profiler.setSamplingInterval", { interval: 500 });
      session.post("Profiler.start");
      return;
    }
    session.post("Profiler.stop", (_, { profile }) =>
      writeFileSync(process.env.METERKEEP_CONFIG.replace(/json$/, "cpuprofile"), JSON.stringify({
        ...profile, garbage: collected, memory: process.memoryUsage() })));
    session.disconnect();
    observer.disconnect();
    session = undefined;
  });`;

const { spawn } = childProcess;
childProcess.spawn = ((command: string, args: readonly string[], options: childProcess.SpawnOptions) => {
  const entry = args?.at(-1);
  if (entry === undefined || !PROFILED.test(entry)) return spawn(command, args, options);
  const allowed = args.includes("--permission") ? ["--allow-inspector"] : [];
  const preload = ["--import", `data:text/javascript,${encodeURIComponent(PROFILER)}`];
  return spawn(command, [...args.slice(0, -1), ...allowed, ...preload, entry], options);
}) as typeof spawn;
syncBuiltinESMExports();
