import { type ApduConnection, connectHdlc, connectHdlcSerial, connectWrapper } from "@meterkeep/dlms-node";
import type { MeterAccess } from "./meter-access.ts";

/** What of an access says where the meter is and how it is spoken to. */
export type Reach = Pick<
  MeterAccess,
  "address" | "serial" | "link" | "physicalDevice" | "serverSap" | "timeoutMilliseconds"
>;

/** Connects to the meter as one of its clients. @throws TransportError, LineError */
export async function connectMeter(reach: Reach, clientSap: number, signal: AbortSignal): Promise<ApduConnection> {
  const { address, serial, link, physicalDevice, serverSap, timeoutMilliseconds } = reach;
  const common = {
    ...address,
    responseTimeoutMilliseconds: timeoutMilliseconds,
    connectTimeoutMilliseconds: timeoutMilliseconds,
    signal,
  };
  if (link === "wrapper") return await connectWrapper({ ...common, clientSap, serverSap });
  const hdlc = {
    responseTimeoutMilliseconds: timeoutMilliseconds,
    clientAddress: clientSap,
    server: { logicalDevice: serverSap, physicalDevice },
    frameTimeoutMilliseconds: Math.min(timeoutMilliseconds, LONGEST_FRAME_WAIT_MS),
    retries: 1,
    signal,
  };
  if (serial !== undefined)
    return await connectHdlcSerial({ ...hdlc, path: serial.path, ...(serial.optical && { modeE: {} }) });
  return await connectHdlc({ ...common, ...hdlc });
}

const LONGEST_FRAME_WAIT_MS = 5_000;
