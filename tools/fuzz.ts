/** `npm run fuzz -- --inputs 10000000`: see test/fuzz/main.ts. */
import { ROOT, run } from "./run.ts";

process.exitCode = await run(process.execPath, ["--expose-gc", `${ROOT}/test/fuzz/main.ts`, ...process.argv.slice(2)]);
