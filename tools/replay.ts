/** `npm run replay -- FILE...`: see test/replay/main.ts. */
import { ROOT, run } from "./run.ts";

process.exitCode = await run(process.execPath, [`${ROOT}/test/replay/main.ts`, ...process.argv.slice(2)], {
  cwd: process.env["INIT_CWD"] ?? process.cwd(),
});
