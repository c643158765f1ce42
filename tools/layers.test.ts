import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { checkLayers } from "./layers.ts";

const ROOMS = "dlms dlms-node pki ledger guard api custody meter headend postgres hsm"
  .split(" ")
  .map((name) => `packages/${name}`);
const APPS = "custodian server depot town concentrator factory console cli".split(" ").map((name) => `apps/${name}`);

test("an import against the arrows is named, and one along them is not", () => {
  const root = mkdtempSync(join(tmpdir(), "meterkeep-layers-"));
  try {
    for (const room of [...ROOMS, ...APPS]) mkdirSync(join(root, room, "src"), { recursive: true });
    const write = (file: string, text: string): void => {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), text);
    };
    write(
      "packages/headend/src/a.ts",
      'import { x } from "@meterkeep/custody";\nimport { y } from "@meterkeep/dlms";\n',
    );
    write("packages/dlms/src/b.ts", 'import { readFileSync } from "node:fs";\n');
    write("packages/dlms/src/b.test.ts", 'import { readFileSync } from "node:fs";\n');
    write("apps/console/src/c.tsx", 'const page = () => import("@meterkeep/postgres");\n');
    write("packages/meter/src/d.ts", 'export { z } from "../../custody/src/vault.ts";\n');
    write("packages/api/src/e.ts", "// a line\n".repeat(601));
    assert.deepEqual(
      checkLayers(root)
        .map(({ file }) => file)
        .sort(),
      [
        "apps/console/src/c.tsx",
        "packages/api/src/e.ts",
        "packages/dlms/src/b.ts",
        "packages/headend/src/a.ts",
        "packages/meter/src/d.ts",
      ],
    );
  } finally {
    rmSync(root, { recursive: true });
  }
});
