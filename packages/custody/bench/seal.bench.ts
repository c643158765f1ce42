import { benchSeal } from "./seal.ts";

// `npm run bench -- seal [--seconds N]`: seals a second through the socket, for each figure 3 seconds unless given.

const at = process.argv.indexOf("--seconds");
await benchSeal("session", at < 0 ? 3 : Number(process.argv[at + 1]));
