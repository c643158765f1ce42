// Loaded before a command: it is killed, as by kill -9, before it renames a file for the nth time (DIE_AT_RENAME).

import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";

const { rename } = fs;
let left = Number(process.env["DIE_AT_RENAME"]);

fs.rename = async (from, to) => {
  left -= 1;
  if (left === 0) process.kill(process.pid, "SIGKILL");
  await rename(from, to);
};
syncBuiltinESMExports();
