import { loadCryptoki, unpadded } from "./cryptoki.ts";

// Prints the tokens of a library as JSON: a process of its own, since a vendor's library is loaded in no other kind.

const [path = ""] = process.argv.slice(2);
try {
  const { library, ck } = loadCryptoki(path);
  library.C_Initialize({ flags: ck.CKF_OS_LOCKING_OK });
  const tokens = library.C_GetSlotList(true).map((slot) => {
    const { label, manufacturerID, model, serialNumber, flags } = library.C_GetTokenInfo(slot);
    const texts = {
      label: unpadded(label),
      manufacturer: unpadded(manufacturerID),
      model: unpadded(model),
      serial: unpadded(serialNumber),
    };
    return { ...texts, isInitialised: (flags & ck.CKF_TOKEN_INITIALIZED) !== 0 };
  });
  console.log(JSON.stringify({ tokens }));
} catch (error) {
  const { code, message } = error as { readonly code?: unknown; readonly message?: string };
  console.log(
    JSON.stringify({ code: typeof code === "string" ? code : "hsm-failed", message: message ?? String(error) }),
  );
}
