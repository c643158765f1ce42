/**
 * A Meterkeep whose clock is ahead of this machine's: some rules know the hour and the day (MC-08), and a test that comes at
 * another hour gives all processes of an installation another time. Nothing of it is in the product: whoever may load modules into
 * its processes may do anything. PostgreSQL and OpenSSL keep the machine's time, and what is compared with theirs is never far apart.
 */

/** A module that has `Date` tell the time so many milliseconds ahead. */
function sourceOf(aheadMs: number): string {
  return `{
    const real = globalThis.Date;
    const now = () => real.now() + ${aheadMs};
    globalThis.Date = new Proxy(real, {
      construct: (target, given) => new target(...(given.length === 0 ? [now()] : given)),
      apply: (target) => new target(now()).toString(),
      get: (target, name) => (name === "now" ? now : target[name]),
    });
    real.prototype.constructor = globalThis.Date;
  }`;
}

/** What a process of node is given with \`--import\` to have that time. */
export function clockAhead(aheadMs: number): string {
  return moduleOf(sourceOf(aheadMs));
}

/** The same for a supervisor, which gives it to the processes of the program that it starts. */
export function supervisorAhead(aheadMs: number): string {
  return moduleOf(`
    import childProcess from "node:child_process";
    import { syncBuiltinESMExports } from "node:module";
    ${sourceOf(aheadMs)}
    const { spawn } = childProcess;
    childProcess.spawn = (command, args, options) => {
      const entry = Array.isArray(args) ? args.at(-1) : undefined;
      const isOurs = typeof entry === "string" && /\\/apps\\/[\\w-]+\\/src\\/.*\\.ts$/.test(entry);
      return isOurs
        ? spawn(command, [...args.slice(0, -1), "--import", ${JSON.stringify(clockAhead(aheadMs))}, entry], options)
        : spawn(command, args, options);
    };
    syncBuiltinESMExports();`);
}

function moduleOf(source: string): string {
  return `data:text/javascript,${encodeURIComponent(source)}`;
}
