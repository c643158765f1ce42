import { COUNTERS_PER_ASSOCIATION } from "@meterkeep/dlms";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Association } from "../conversation/association.ts";
import { IDENTITY_OBJECTS } from "../protocol/meter-facts.ts";
import { getRequest } from "../protocol/requests.ts";
import type { Vault } from "../vault/vault.ts";
import type { TakeoverEffect } from "./journal.ts";
import type { LiveContact } from "./live-contact.ts";
import { type PreparedTransfer, transferRequest } from "./transfer.ts";

const EXCHANGES = ["associate", "read-counter", "read-identity", "transfer", "release"] as const;

/** An effect of the machine that sends something to the meter. */
export type Exchange = Extract<TakeoverEffect, { kind: (typeof EXCHANGES)[number] }>;

export function isExchange(effect: TakeoverEffect): effect is Exchange {
  return (EXCHANGES as readonly string[]).includes(effect.kind);
}

/** How many invocation counters an exchange takes. */
export function countersOf({ kind }: Exchange): number {
  if (kind === "associate") return COUNTERS_PER_ASSOCIATION;
  return kind === "read-counter" ? 0 : 1;
}

/** The first octets of an exchange, and what the contact then waits for. What makes them true is durable by now. */
export async function beginExchange(
  vault: Vault,
  live: LiveContact,
  exchange: Exchange,
  counter: number,
  prepared: PreparedTransfer | undefined,
): Promise<Uint8Array> {
  switch (exchange.kind) {
    case "associate":
      live.awaited = { kind: "association" };
      return sendOf(live.association.take({ kind: "associate", invocationCounter: counter }));
    case "read-counter":
      live.awaited = { kind: "counter" };
      return sendOf(live.association.take({ kind: "associate", invocationCounter: 0 }));
    case "read-identity": {
      const { logicalDeviceName, serialNumber } = IDENTITY_OBJECTS;
      const asked = [
        ["logicalDeviceName", logicalDeviceName],
        ["serialNumber", serialNumber],
      ] as const;
      live.awaited = { kind: "identity", asked };
      return live.seal(getRequest(logicalDeviceName), counter);
    }
    case "transfer": {
      if (prepared === undefined) throw new CallRefusal("custodian-failed", "no keys were prepared for a transfer");
      live.awaited = { kind: "transfer" };
      return live.seal(await transferRequest(vault, live, exchange.under, prepared), counter);
    }
    case "release":
      live.awaited = { kind: "release" };
      return sendOf(live.association.take({ kind: "release", invocationCounter: counter }));
    default:
      return exchange satisfies never;
  }
}

function sendOf(effect: ReturnType<Association["take"]>): Uint8Array {
  if (effect?.kind === "send") return effect.apdu;
  throw new CallRefusal("custodian-failed", "the association has nothing to send");
}
