import { type SpawnOptions, spawn } from "node:child_process";
import { dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The root of the checkout. */
export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "..");

/** Runs a command in the checkout with its tools first in the path, output on the terminal; gives its exit status. */
export function run(command: string, args: readonly string[], options: SpawnOptions = {}): Promise<number> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: "inherit",
      ...options,
      env: { ...process.env, PATH: `${ROOT}/node_modules/.bin:${process.env["PATH"] ?? ""}`, ...options.env },
    });
    child.once("error", fail);
    child.once("close", (status) => done(status ?? 1));
  });
}

/** Runs a command and gives what it wrote with its status, for output that is shown only when it fails. */
export function capture(
  command: string,
  args: readonly string[],
): Promise<{ readonly status: number; readonly output: string }> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, PATH: `${ROOT}/node_modules/.bin:${process.env["PATH"] ?? ""}` },
    });
    let output = "";
    const take = (text: string): void => {
      output += text;
    };
    child.stdout.setEncoding("utf8").on("data", take);
    child.stderr.setEncoding("utf8").on("data", take);
    child.once("error", fail);
    child.once("close", (status) => done({ status: status ?? 1, output }));
  });
}
