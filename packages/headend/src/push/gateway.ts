import { Assembler, joinPieces, LinkScanner } from "@meterkeep/dlms";
import type { Address } from "../inventory/meter.ts";
import { backoffSeconds } from "../work/backoff.ts";
import type { ArrivedPush } from "./arrived-push.ts";

export interface GatewayPorts {
  /** Connects and gives the octets as they come; the iteration ends when the line does. */
  open(address: Address, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  take(push: ArrivedPush): void;
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
  random(): number;
  /** The line is up (`undefined`) or why it is not. */
  onState(address: Address, error: unknown): void;
}

/**
 * Listens to a serial gateway (`tcp://host:port`) behind which meters push in M-Bus or HDLC frames, wrappers or bare
 * APDUs: finds the APDUs and hands them on. Connects again, with growing pauses, for as long as it runs.
 */
export async function listenToGateway(ports: GatewayPorts, address: Address, signal: AbortSignal): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      const octets = await ports.open(address, signal);
      ports.onState(address, undefined);
      failures = 0;
      await follow(ports, address, octets);
      ports.onState(address, new Error("the gateway closed the line"));
    } catch (error) {
      if (signal.aborted) return;
      ports.onState(address, error);
    }
    failures += 1;
    await ports.sleep(backoffSeconds(failures, ports.random()) * 1000, signal);
  }
}

async function follow(ports: GatewayPorts, { host, port }: Address, octets: AsyncIterable<Uint8Array>): Promise<void> {
  const scanner = new LinkScanner();
  const assembler = new Assembler();
  for await (const chunk of octets)
    for (const event of scanner.push(chunk))
      for (const delivery of assembler.take(event))
        if (delivery.kind === "apdu")
          ports.take({ apdu: joinPieces(delivery.pieces), transport: "gateway", address: `${host}:${port}` });
}
