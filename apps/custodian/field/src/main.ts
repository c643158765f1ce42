import { servingCustodian } from "./custodian.ts";
import { FieldError } from "./field-error.ts";
import { makeHandheld, openHandheld } from "./handheld.ts";
import {
  type FieldAct,
  FieldJournal,
  type FieldOperation,
  journalOf,
  keysFor,
  type LeasedMeter,
  refusalOf,
  termsOf,
  verifiedTerms,
} from "./lease.ts";
import { visitLeased } from "./leased-visit.ts";
import { openBridge } from "./line/bridge.ts";
import type { ByteLine } from "./line/byte-line.ts";
import { hasWebSerial, openOpticalHead } from "./line/web-serial.ts";
import { FieldMemory, type StoredLease } from "./memory.ts";
import type { MeterReading } from "./meter-reading.ts";
import { element, type FieldView, notice, save, show } from "./page.ts";

/** One thing at a time: a second tap waits for nothing and does nothing. */
let isBusy = false;
const memory = await FieldMemory.open();

async function view(): Promise<FieldView> {
  const [handheld, stored] = [await memory.get("handheld"), await memory.get("lease")];
  return {
    handheld,
    lease: stored && { terms: termsOf(stored.file), acts: actsIn(stored), stored },
    now: Date.now(),
    visit: (meter, operation) => void act(() => visit(meter, operation)),
  };
}

/** Undefined where the journal cannot be read: that is said, and the rest of the page is drawn all the same. */
function actsIn(stored: StoredLease): readonly FieldAct[] | undefined {
  try {
    return journalOf(stored).acts;
  } catch (error) {
    if (!(error instanceof FieldError)) throw error;
    notice(error.message);
    return undefined;
  }
}

async function act(what: () => Promise<string>): Promise<void> {
  if (isBusy) return;
  isBusy = true;
  document.body.setAttribute("aria-busy", "true");
  try {
    notice("…");
    notice(await what());
  } catch (error) {
    notice(error instanceof Error ? error.message : String(error));
  } finally {
    isBusy = false;
    document.body.removeAttribute("aria-busy");
    show(await view());
  }
}

async function enrol(): Promise<string> {
  const name = element<HTMLInputElement>("name").value.trim();
  if (name === "") throw new FieldError("Give the device a name first.");
  if ((await memory.get("lease")) !== undefined)
    throw new FieldError("Hand the lease of before back first: it opens under the keys of before alone.");
  await memory.keep("handheld", await makeHandheld(name, await servingCustodian()));
  return "Its keys are made. Save the public ones and have them enrolled.";
}

async function takeLease(): Promise<string> {
  const input = element<HTMLInputElement>("file");
  const [chosen] = input.files ?? [];
  if (chosen === undefined) return "";
  const file = await chosen.text();
  input.value = "";
  const stored = await memory.get("handheld");
  if (stored === undefined) throw new FieldError("Make this device a handheld first.");
  const terms = await verifiedTerms(stored, file);
  const [first] = terms.meters as [LeasedMeter];
  if (Date.now() >= terms.until) throw new FieldError("This lease is over: have it lent anew.");
  const before = await memory.get("lease");
  if (before !== undefined && termsOf(before.file).lease === terms.lease)
    throw new FieldError("This lease is here already.");
  if (before?.journal !== undefined)
    throw new FieldError("Hand the lease of before back first: its journal would be lost.");
  // That it opens here is seen here, and not at the first meter.
  await keysFor(await openHandheld(stored), file, first.meter);
  await memory.keep("lease", { file, journal: undefined, readings: {} });
  return `The lease has ${terms.meters.length} meters.`;
}

async function visit(meter: LeasedMeter, operation: FieldOperation): Promise<string> {
  const [handheld, lease] = [await memory.get("handheld"), await memory.get("lease")];
  if (handheld === undefined || lease === undefined) throw new FieldError("No lease is on this device.");
  const terms = await verifiedTerms(handheld, lease.file);
  const refusal = refusalOf(terms, operation, Date.now());
  if (refusal !== undefined) throw new FieldError(refusal);
  // First, while the tap still counts: a browser asks for a port only then.
  await using line = await lineToMeter();
  const opened = await openHandheld(handheld);
  const keys = await keysFor(opened, lease.file, meter.meter);
  let reading: MeterReading | undefined;
  try {
    reading = await visitLeased({ memory, handheld: opened, terms, keys, line }, operation, meter);
  } finally {
    keys.encryptionKey.fill(0);
    keys.authenticationKey.fill(0);
  }
  if (reading === undefined) return `The clock of ${meter.label} is set.`;
  const now = await memory.get("lease");
  if (now !== undefined) await memory.keep("lease", { ...now, readings: { ...now.readings, [meter.meter]: reading } });
  return `${meter.label} is read.`;
}

async function lineToMeter(): Promise<ByteLine & AsyncDisposable> {
  const isSerial = element<HTMLInputElement>("way-serial").checked;
  const line = isSerial ? await openOpticalHead() : await openBridge(Number(element<HTMLInputElement>("port").value));
  return { ...line, [Symbol.asyncDispose]: () => line.close() };
}

/** Hands the signed journal to the custodian where it can be reached; it is the journal's signature that counts. */
async function handBack(): Promise<string> {
  const lease = await memory.get("lease");
  if (lease === undefined) throw new FieldError("No lease is on this device.");
  if (lease.journal === undefined) {
    const handheld = await memory.get("handheld");
    if (handheld === undefined) throw new FieldError("This device is no handheld.");
    // Nobody was visited: an empty journal says so, signed.
    await new FieldJournal(memory, await openHandheld(handheld)).close();
  }
  const { journal = "" } = (await memory.get("lease")) ?? {};
  const headers = { "content-type": "application/json" };
  const answer = await fetch("/api/return", { method: "POST", headers, body: JSON.stringify({ journal }) }).catch(
    (cause: unknown) => {
      throw new FieldError("There is no network: save the journal, or come back with one.", { cause });
    },
  );
  const { message } = (await answer.json()) as { readonly message?: string };
  if (!answer.ok) throw new FieldError(`The custodian says: ${message}`);
  await memory.keep("lease", undefined);
  return "The lease is handed back. The keys of its meters are changed now.";
}

/** The public keys, for enrolment; the journal, for `meterkeep field return`. */
async function saveFile(which: "public" | "journal"): Promise<string> {
  const [handheld, lease] = [await memory.get("handheld"), await memory.get("lease")];
  if (which === "public" && handheld !== undefined) save(`${handheld.name}.pub`, handheld.publicText);
  if (which === "journal" && lease?.journal !== undefined) save(`${termsOf(lease.file).lease}.journal`, lease.journal);
  return "It is saved.";
}

for (const which of ["public", "journal"] as const)
  element(which).addEventListener("click", () => void act(() => saveFile(which)));
element("make").addEventListener("click", () => void act(enrol));
element("file").addEventListener("change", () => void act(takeLease));
element("return").addEventListener("click", () => void act(handBack));
element<HTMLInputElement>(hasWebSerial() ? "way-serial" : "way-bridge").checked = true;
element<HTMLInputElement>("way-serial").disabled = !hasWebSerial();
show(await view());

/** Without a policy of its own the page may not name a script, its own service worker included. */
interface Policies {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
}
const { trustedTypes } = window as { readonly trustedTypes?: Policies };
const policy = trustedTypes?.createPolicy("field", { createScriptURL: () => "/worker.js" });
await navigator.serviceWorker.register(policy?.createScriptURL("") ?? "/worker.js");
const { build } = (await (await fetch("/build.json")).json()) as { readonly build: string };
element("build").textContent = `Build ${build.slice(0, 16)}`;
