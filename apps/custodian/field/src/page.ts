import type { StoredHandheld } from "./handheld.ts";
import type { FieldAct, FieldOperation, LeasedMeter, LeaseTerms } from "./lease.ts";
import type { StoredLease } from "./memory.ts";

/** What is shown. */
export interface FieldView {
  readonly handheld: StoredHandheld | undefined;
  readonly lease:
    | {
        readonly terms: LeaseTerms;
        /** Undefined where the journal cannot be read. */
        readonly acts: readonly FieldAct[] | undefined;
        readonly stored: StoredLease;
      }
    | undefined;
  readonly now: number;
  readonly visit: (meter: LeasedMeter, operation: FieldOperation) => void;
}

const WORDS: Readonly<Record<FieldOperation, string>> = { read: "Read", "set-clock": "Set the clock of" };

/** The element of an id: the page is ours, so that it is there. */
export function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** Says what happened, to those who do not see it as well. */
export function notice(text: string): void {
  element("notice").textContent = text;
}

/** Draws everything anew, and leaves the focus where it was. */
export function show({ handheld, lease, now, visit }: FieldView): void {
  const focused = document.activeElement?.id ?? "";
  element("enrol").hidden = handheld !== undefined;
  element("known").hidden = handheld === undefined;
  element("lease").hidden = handheld === undefined;
  element("way").hidden = lease === undefined;
  element("meters").hidden = lease === undefined;
  if (handheld !== undefined) {
    element("known-text").textContent = `${handheld.name}, key ${handheld.keyId.slice(0, 16)}`;
    const custodian = handheld.custodian.match(/.{4}/g)?.join(" ");
    element("custodian").textContent = `It takes leases of this custodian alone: ${custodian}`;
  }
  element("journal-actions").hidden = lease === undefined;
  element("state").textContent = lease === undefined ? "" : stateOf(lease.terms, now);
  if (lease !== undefined) {
    const { terms, acts, stored } = lease;
    element("lease-text").textContent = `${terms.technician}, ${terms.meters.length} meters, ${stateOf(terms, now)}`;
    element("journal").hidden = stored.journal === undefined;
    element("list").replaceChildren(...terms.meters.map((meter) => cardOf(meter, terms, acts, stored, visit)));
  }
  if (focused !== "") document.getElementById(focused)?.focus();
}

function stateOf({ from, until }: LeaseTerms, now: number): string {
  if (now < from) return `from ${new Date(from).toLocaleTimeString()}`;
  if (now >= until) return "over: hand it back";
  return `until ${new Date(until).toLocaleTimeString()}`;
}

function cardOf(
  meter: LeasedMeter,
  { operations }: LeaseTerms,
  acts: readonly FieldAct[] | undefined,
  { readings }: StoredLease,
  visit: FieldView["visit"],
): HTMLLIElement {
  const [item, card, title] = [made("li", ""), made("article", ""), made("h3", meter.label)];
  const last = acts?.findLast((act) => act.meter === meter.meter);
  const unvisited = acts === undefined ? "Whether it was visited cannot be told" : "Not visited yet";
  const done = last === undefined ? unvisited : `${new Date(last.at).toLocaleTimeString()}: ${last.outcome}`;
  card.append(title, made("p", `${meter.meter}. ${done}`));
  for (const operation of operations) {
    const button = made("button", WORDS[operation] === "Read" ? "Read" : "Set its clock");
    button.type = "button";
    button.id = `${operation}-${meter.meter}`;
    button.setAttribute("aria-label", `${WORDS[operation]} ${meter.label}`);
    button.addEventListener("click", () => visit(meter, operation));
    card.append(button);
  }
  const reading = readings[meter.meter];
  if (reading !== undefined) {
    const list = made("dl", "");
    if (reading.clock !== undefined) list.append(made("dt", "Its clock"), made("dd", reading.clock));
    for (const { name, value } of reading.registers) list.append(made("dt", name), made("dd", value));
    const details = made("details", "");
    details.open = last?.meter === acts?.at(-1)?.meter;
    details.append(made("summary", `${reading.registers.length} registers`), list);
    card.append(details);
  }
  item.append(card);
  return item;
}

function made<Name extends keyof HTMLElementTagNameMap>(name: Name, text: string): HTMLElementTagNameMap[Name] {
  const one = document.createElement(name);
  if (text !== "") one.textContent = text;
  return one;
}

/** Saves a text as a file of this device. */
export function save(name: string, text: string): void {
  const link = made("a", "");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
