import type { DecodedLine } from "@meterkeep/api";
import { useEffect, useState } from "react";

/** The tree of a plain APDU; undefined until the decoder has come, and where it is none. The decoder is a chunk of its own. */
export function useDecodedApdu(hex: string | undefined): DecodedLine[] | undefined {
  const [decoded, setDecoded] = useState<{ hex: string; lines: DecodedLine[] | undefined }>();
  useEffect(() => {
    if (hex === undefined) return;
    let wanted = true;
    void import("./apdu-lines.ts").then(({ apduLines }) => {
      if (wanted) setDecoded({ hex, lines: apduLines(hex)?.slice() });
    });
    return () => {
      wanted = false;
    };
  }, [hex]);
  return decoded !== undefined && decoded.hex === hex ? decoded.lines : undefined;
}
