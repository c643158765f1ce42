import childProcess from "node:child_process";
import { syncBuiltinESMExports } from "node:module";

// Loaded into `meterkeep start` by a bench that profiles: the processes that it starts get a sampling profiler, which SIGUSR2
// starts, and ends the next time. The profile goes beside the configuration file of the process, as `NAME.cpuprofile`.

const PROFILED = /\/apps\/(?:server|custodian|town)\/src\/(?:worker-)?main\.ts$/;

const PROFILER = `
  import { Session } from "node:inspector";
  import { writeFileSync } from "node:fs";
  let session;
  process.on("SIGUSR2", () => {
    if (session === undefined) {
      session = new Session();
      session.connect();
      session.post("Profiler.enable");
      session.post("Profiler.setSamplingInterval", { interval: 500 });
      session.post("Profiler.start");
      return;
    }
    session.post("Profiler.stop", (_, { profile }) =>
      writeFileSync(process.env.METERKEEP_CONFIG.replace(/json$/, "cpuprofile"), JSON.stringify(profile)));
    session.disconnect();
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
