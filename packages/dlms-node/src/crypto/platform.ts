import { createSecretKey, type KeyObject } from "node:crypto";
import type { SecurityPlatform } from "@meterkeep/dlms";
import { nodeCiphers } from "./ciphers.ts";
import { nodeCurves } from "./curves.ts";
import { nodeHashes, nodeRandom } from "./hashes.ts";
import { nodeKeyWrap } from "./key-wrap.ts";

/** All that suites 0 to 2 need, by node:crypto; keys are `KeyObject`s. */
export const nodePlatform: SecurityPlatform<KeyObject> = {
  ciphers: nodeCiphers,
  keyWrap: nodeKeyWrap,
  hashes: nodeHashes,
  curves: nodeCurves,
  random: nodeRandom,
  importKey: (octets) => createSecretKey(octets),
};
