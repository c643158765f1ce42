import { COUNTERS_PER_ASSOCIATION } from "@meterkeep/dlms";
import type { SecretKey } from "@meterkeep/dlms-node";
import { CallRefusal } from "../calls/call-refusal.ts";
import type { Association } from "../conversation/association.ts";
import { IDENTITY_OBJECTS, securitySetupName } from "../protocol/meter-facts.ts";
import { unsealKeys } from "../protocol/meter-keys.ts";
import {
  changeHlsSecretRequest,
  getRequest,
  policyObject,
  securityActivateRequest,
  setPasswordRequest,
} from "../protocol/requests.ts";
import type { Vault } from "../vault/vault.ts";
import { handedChildKey, setChildKey } from "./child-requests.ts";
import type { SecretName, TakeoverEffect } from "./journal.ts";
import type { LiveContact } from "./live-contact.ts";
import type { PreparedTransfer } from "./prepared-transfer.ts";
import { secretClientOf } from "./secret-client.ts";
import { transferRequest } from "./transfer.ts";

const EXCHANGES = [
  "associate",
  "associate-secret",
  "read-counter",
  "read-identity",
  "transfer",
  "agree",
  "change-secret",
  "transfer-child-key",
  "set-child-key",
  "read-policy",
  "find-clients",
  "raise-policy",
  "release",
] as const;

/** An effect of the machine that sends something to the meter. */
export type Exchange = Extract<TakeoverEffect, { kind: (typeof EXCHANGES)[number] }>;

export function isExchange(effect: TakeoverEffect): effect is Exchange {
  return (EXCHANGES as readonly string[]).includes(effect.kind);
}

/** How many invocation counters an exchange takes. */
export function countersOf({ kind }: Exchange): number {
  if (kind === "associate") return COUNTERS_PER_ASSOCIATION;
  return isPlain(kind) ? 0 : 1;
}

function isPlain(kind: Exchange["kind"]): boolean {
  return kind === "read-counter" || kind === "associate-secret";
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
    case "associate-secret":
      live.awaited = { kind: "association" };
      return sendOf(live.association.take({ kind: "associate", invocationCounter: 0 }));
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
      live.awaited = { kind: "answer" };
      return live.seal(await transferRequest(vault, live, exchange.under, prepared), counter);
    }
    case "agree":
      live.awaited = { kind: "agreement" };
      return live.seal(live.offer(), counter);
    case "change-secret":
      live.awaited = { kind: "answer" };
      return live.seal(await secretRequest(vault, live, exchange.key), counter);
    case "transfer-child-key":
      live.awaited = { kind: "answer" };
      return live.seal(await handedChildKey(vault, live, exchange.key), counter);
    case "set-child-key":
      live.awaited = { kind: "answer" };
      return live.seal(await setChildKey(vault, live, exchange.key), counter);
    case "read-policy":
      live.awaited = { kind: "policy" };
      return live.seal(getRequest(policyObject(securitySetupName(live.place.setup))), counter);
    case "find-clients": {
      const read = live.clientsToRead();
      live.awaited = { kind: "clients", read };
      return live.seal(getRequest(read.next as NonNullable<typeof read.next>), counter);
    }
    case "raise-policy":
      live.awaited = { kind: "answer" };
      return live.seal(securityActivateRequest(securitySetupName(live.place.setup), exchange.to), counter);
    case "release":
      live.awaited = { kind: "release" };
      return sendOf(live.association.take({ kind: "release", invocationCounter: counter }));
    default:
      return exchange satisfies never;
  }
}

/** What gives a client its new secret. The octets are in it in clear, under the working keys that seal it. */
async function secretRequest(vault: Vault, live: LiveContact, name: SecretName): Promise<Uint8Array> {
  const client = secretClientOf(live, name);
  const [secret] = (await unsealKeys(vault, live.keys, [name])) as [SecretKey];
  using own = secret;
  const request = client.mechanism === "low" ? setPasswordRequest : changeHlsSecretRequest;
  return own.lend((octets) => request(client.object, octets));
}

function sendOf(effect: ReturnType<Association["take"]>): Uint8Array {
  if (effect?.kind === "send") return effect.apdu;
  throw new CallRefusal("custodian-failed", "the association has nothing to send");
}
