import type { SecretPurpose } from "../store/records.ts";
import { retryAfter } from "./candidates.ts";
import type { Contact, Journal, PreparedKeys, TakeoverEffect, TakeoverEvent } from "./journal.ts";
import { contactOf, inContact, noted, prepared, type Stepped, type TakeoverRules } from "./moves.ts";
import type { SecretChange } from "./secret-change.ts";

/** How many values are sent, and how often silence is borne, before a secret stays unproven. */
const MOST_VALUES = 2;
const MOST_SILENT = 3;

/** Secrets of clients, as a takeover begins with them; what is known of some of them already stays. */
export function withSecrets(journal: Journal, { secrets }: TakeoverRules): Journal {
  if (journal.cause !== "takeover") return journal;
  const known = journal.secrets ?? [];
  const unknown = secrets.filter(
    ({ purpose, client }) => !known.some((one) => one.purpose === purpose && one.client === client),
  );
  if (journal.secrets !== undefined && unknown.length === 0) return journal;
  const changes = unknown.map(
    ({ purpose, client, known }): SecretChange => ({
      purpose,
      client,
      state: "wanted",
      ...(known ? { old: 1 } : {}),
      belief: known ? [1] : [],
      nextVersion: 2,
      sent: 0,
      silent: 0,
    }),
  );
  return { ...journal, secrets: [...known, ...changes] };
}

/** Whether there is nothing left to be done about secrets. */
export function secretsSettled({ secrets }: Journal): boolean {
  return (secrets ?? []).every(({ state }) => state === "settled");
}

/** What of secrets is to be done in an association under our keys: the next one is made. */
export function changeNextSecret(journal: Journal, done: readonly TakeoverEffect[]): Stepped | undefined {
  const next = journal.secrets?.find(({ state }) => state === "wanted");
  if (next === undefined) return undefined;
  const { purpose, client, nextVersion } = next;
  const keys = [{ purpose, version: nextVersion, client }];
  const waiting = withSecret(journal, { ...next, nextVersion: nextVersion + 1 });
  return prepared(waiting, { stage: "changing-secret", step: "change-secret", keys }, done);
}

/** Sends a secret that was prepared, and believes that it may be on the meter from now on. */
export function sendSecret(journal: Journal, { keys, step }: PreparedKeys): Stepped {
  const [key] = keys;
  const secret = journal.secrets?.find(({ client, purpose }) => client === key?.client && purpose === key?.purpose);
  if (key === undefined || secret === undefined) throw new Error("a secret was prepared that nobody asked for");
  const { client } = secret;
  const sent = withSecret(
    { ...journal, prepared: undefined },
    { ...secret, state: "sent", belief: [key.version, ...secret.belief], sent: secret.sent + 1, silent: 0 },
  );
  return [
    inContact(sent, { stage: "changing-secret", step, client }),
    { kind: "change-secret", step, key: { ...key, client } },
  ];
}

/** The meter has said whether it takes a secret: which proves neither. Gives the journal and whether another one is tried. */
export function secretAnswered(
  journal: Journal,
  { at, accepted, detail }: Extract<TakeoverEvent, { kind: "transfer-answered" }>,
): Journal {
  const { step } = contactOf(journal);
  const secret = secretInContact(journal);
  const said = noted(journal, step, at, accepted ? "passed" : "refused", `client ${secret.client}: ${detail}`);
  if (accepted) return said;
  const [refused, ...others] = secret.belief as [number, ...number[]];
  const next = { ...secret, belief: [...others, refused] };
  return secret.sent < MOST_VALUES
    ? withSecret(said, { ...next, state: "wanted" })
    : withSecret(said, { ...next, state: "settled", unproven: `it refuses another one (${detail})` });
}

/** A contact that proves something of a secret, where one is left to be opened. */
export function nextSecretContact(journal: Journal):
  | (Pick<Contact, "stage" | "step"> & {
      readonly client: number;
      readonly purpose: SecretPurpose;
      readonly version: number;
    })
  | undefined {
  const next = journal.secrets?.find(({ state }) => state === "sent" || state === "changed");
  if (next === undefined) return undefined;
  const { client, purpose, belief, old } = next;
  return next.state === "sent"
    ? { stage: "proving-secret", step: "prove-secret", client, purpose, version: belief[0] as number }
    : { stage: "refusing-secret", step: "refuse-old-secret", client, purpose, version: old as number };
}

/** An association was made with a secret. */
export function secretOpened(journal: Journal, at: number): readonly [Journal, ...TakeoverEffect[]] {
  const { stage, step } = contactOf(journal);
  const secret = secretInContact(journal);
  const { client, purpose, old } = secret;
  if (stage === "refusing-secret") {
    const detail = `client ${client}: an association was made with the old one`;
    const kept = { ...secret, belief: [...secret.belief, old as number] };
    return [settled(noted(journal, step, at, "failed", detail), kept, "it still opens with the old one")];
  }
  const version = secret.belief[0] as number;
  const seen = noted(journal, step, at, "passed", `client ${client}: an association was made with the new one`);
  const active: TakeoverEffect = { kind: "key-active", key: { purpose, version, client }, proven: true };
  const proven = { ...secret, belief: [version], silent: 0 };
  const untold = "nobody told us the old one, so that nothing shows it dead";
  return old === undefined
    ? [settled(noted(seen, "refuse-old-secret", at, "unproven", `client ${client}: ${untold}`), proven, untold), active]
    : [withSecret(seen, { ...proven, state: "changed" }), active];
}

/** An association with a secret was refused. */
export function secretRefused(journal: Journal, at: number, detail: string): Journal {
  const { stage, step } = contactOf(journal);
  const secret = secretInContact(journal);
  const { client } = secret;
  if (stage === "refusing-secret")
    return settled(noted(journal, step, at, "passed", `client ${client}: ${detail}`), secret);
  const refused = noted(journal, step, at, "refused", `client ${client}: ${detail}`);
  return secret.sent < MOST_VALUES
    ? withSecret(refused, { ...secret, state: "wanted" })
    : settled(refused, secret, "it said that it took it, and does not open with it");
}

/** A proof got no answer. */
export function secretUnheard(journal: Journal, contact: Contact): Journal {
  const secret = journal.secrets?.find((one) => one.client === contact.client && one.state !== "settled");
  if (secret === undefined) return journal;
  const silent = secret.silent + 1;
  const unheard = { ...secret, silent };
  return silent < MOST_SILENT ? withSecret(journal, unheard) : settled(journal, unheard, "it gave no answer");
}

/** When a secret that was refused may be tried again. */
export function afterRefusal(journal: Journal, at: number, { pace }: TakeoverRules): Journal {
  const failures = journal.failures + 1;
  return { ...journal, failures, notBefore: at + Math.max(pace.anyKeysMilliseconds, retryAfter(failures, pace)) };
}

function secretInContact(journal: Journal): SecretChange {
  const { client } = contactOf(journal);
  const secret = journal.secrets?.find((one) => one.client === client && one.state !== "settled");
  if (secret === undefined) throw new Error("a contact is about a secret that nobody changes");
  return secret;
}

function settled(journal: Journal, secret: SecretChange, unproven?: string): Journal {
  return withSecret(journal, { ...secret, state: "settled", ...(unproven === undefined ? {} : { unproven }) });
}

function withSecret(journal: Journal, changed: SecretChange): Journal {
  const { client, purpose } = changed;
  return {
    ...journal,
    secrets: (journal.secrets ?? []).map((one) => (one.client === client && one.purpose === purpose ? changed : one)),
  };
}
