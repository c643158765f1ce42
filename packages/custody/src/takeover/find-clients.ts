import type { ClientSearch, FoundClient } from "./client-search.ts";
import type { Journal, TakeoverEffect, TakeoverEvent } from "./journal.ts";
import { contactOf, inContact, noted, type Stepped, type TakeoverRules } from "./moves.ts";
import type { SecretChange } from "./secret-change.ts";

const STEP = "find-clients";
/** How often the meter is asked before its silence is told. */
const MOST_ASKED = 3;

/** Whether there is nothing left to be looked for. */
export function searchSettled({ search }: Journal, { further }: Pick<TakeoverRules, "further">): boolean {
  return further === undefined || search?.state === "settled";
}

/** Reads the meter's association objects, in an association under our keys. */
export function findClients(
  journal: Journal,
  rules: Pick<TakeoverRules, "further">,
  done: readonly TakeoverEffect[],
): Stepped | undefined {
  if (searchSettled(journal, rules)) return undefined;
  const search: ClientSearch = { state: "wanted", asked: (journal.search?.asked ?? 0) + 1 };
  return [
    inContact({ ...journal, search }, { stage: "finding-clients", step: STEP }),
    ...done,
    { kind: "find-clients", step: STEP },
  ];
}

/** What the meter told of its clients: those that nobody knew of get secrets of ours. */
export function clientsFound(
  journal: Journal,
  { at, clients, setups, hidden }: Extract<TakeoverEvent, { kind: "clients-found" }>,
  { further = [] }: Pick<TakeoverRules, "further">,
): Journal {
  const known = journal.secrets ?? [];
  const isKnown = (found: FoundClient) =>
    known.some(({ client, purpose }) => client === found.client && purpose === found.purpose);
  const fresh = clients
    .filter((found) => !isKnown(found))
    .map(
      ({ purpose, client, object, mechanism, known: told }): SecretChange => ({
        purpose,
        client,
        object,
        mechanism,
        state: "wanted",
        ...(told ? { old: 1 } : {}),
        belief: told ? [1] : [],
        nextVersion: 2,
        sent: 0,
        silent: 0,
      }),
    );
  // What came back from the escrow of a later day is known by its versions, not by its object.
  const placed = known.map((one) => {
    const found = clients.find(({ client, purpose }) => client === one.client && purpose === one.purpose);
    return found === undefined || one.object !== undefined
      ? one
      : { ...one, object: found.object, mechanism: found.mechanism };
  });
  const unproven = hidden.length === 0 ? {} : { unproven: hidden.join("; ") };
  const own = setups.filter((setup) => further.includes(setup));
  const foreign = setups.filter((setup) => !further.includes(setup));
  const told = [
    clients.length === 0
      ? "no client opens it with a secret"
      : clients.map(({ client }) => `client ${client}`).join(", "),
    ...(own.length === 0 ? [] : [`${setupWords(own)}, taken over after this one`]),
    ...(foreign.length === 0 ? [] : [`${setupWords(foreign)}, which nobody takes over`]),
    ...hidden,
  ].join("; ");
  return {
    ...noted(journal, contactOf(journal).step, at, [...hidden, ...foreign].length === 0 ? "passed" : "unproven", told),
    secrets: [...placed, ...fresh],
    search: { state: "settled", asked: journal.search?.asked ?? 1, ...unproven, setups },
  };
}

/** A question about clients got no answer: it is not asked for ever. */
export function searchUnheard(journal: Journal): Journal {
  const { search } = journal;
  if (search === undefined || search.asked < MOST_ASKED) return journal;
  return { ...journal, search: { ...search, state: "settled", unproven: "its association objects gave no answer" } };
}

/** Security setups in a sentence. */
export function setupWords(setups: readonly number[]): string {
  return `security setup${setups.length > 1 ? "s" : ""} ${setups.join(", ")}`;
}
