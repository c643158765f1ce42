// The custodian's own page. No framework: what a person approves passes through as little as can be read in one sitting.

interface Approver {
  readonly suspended?: unknown;
  readonly id: string;
  readonly name: string;
  readonly roles: readonly string[];
  readonly key: "passkey" | "signature";
  readonly credentialId: string;
}

interface Document {
  readonly hash: string;
  readonly words: string;
  readonly requester: string;
  readonly state: string;
  readonly approvedBy: readonly string[];
  readonly people: number;
  readonly missing?: string;
  readonly submittedAt: number;
}

interface Manifest extends Document {
  readonly header: string;
  readonly commandClass: string;
  readonly targets: number;
  readonly loadAtRiskW: number;
  readonly progress: { readonly open: number; readonly executed: number; readonly refused: number };
}

interface Change extends Document {
  readonly kind: string;
  readonly reason: string;
  readonly expiresAt: number;
}

interface State {
  readonly approvers: readonly Approver[];
  readonly frozen?: { readonly since: number; readonly by: string; readonly reason: string };
  readonly breakGlass?: { readonly until: number; readonly reason: string };
  readonly trouble?: { readonly message: string };
  readonly manifests: readonly Manifest[];
  readonly changes: readonly Change[];
  /** What journals of leases do not explain. */
  readonly disputes: readonly string[];
}

const REFRESH_MILLISECONDS = 5000;
const LAST_APPROVER = "meterkeep-approver";

const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const notice = (text: string): void => {
  element("notice").textContent = text;
};

async function call<T>(path: string, body: object = {}): Promise<T> {
  const response = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const value = (await response.json()) as T & { readonly message?: string };
  if (!response.ok) throw new Error(value.message ?? response.statusText);
  return value;
}

const toHex = (octets: ArrayBuffer): string =>
  Array.from(new Uint8Array(octets), (octet) => octet.toString(16).padStart(2, "0")).join("");
const fromHex = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
const when = (time: number): string => new Date(time).toLocaleString();

/** What is shown now, so that nothing is drawn again under somebody's hands. */
let shown = "";

async function refresh(): Promise<void> {
  const state = await call<State>("/api/state");
  const text = JSON.stringify(state);
  if (text === shown) return;
  shown = text;
  showApprovers(state.approvers);
  showSwitch(state);
  element("disputes").hidden = state.disputes.length === 0;
  element("disputed").replaceChildren(...state.disputes.map((why) => listItem(new Text(why))));
  const documents = [
    ...state.manifests.map((manifest) => ({
      at: manifest.submittedAt,
      state: manifest.state,
      make: () => manifestCard(manifest),
    })),
    ...state.changes.map((change) => ({ at: change.submittedAt, state: change.state, make: () => changeCard(change) })),
  ].sort((one, other) => other.at - one.at);
  // What nobody could use yet is not offered.
  const isFounded = state.approvers.length > 0;
  element("nobody").hidden = isFounded;
  for (const id of ["who", "loss"]) element(id).hidden = !isFounded;
  element("switch").hidden = !isFounded && state.frozen === undefined;
  element("open-none").hidden = documents.some((one) => one.state === "planned");
  element("past").hidden = documents.every((one) => one.state === "planned");
  const focused = document.activeElement?.id;
  for (const [list, isOpen] of [
    ["open", true],
    ["done", false],
  ] as const)
    element(list).replaceChildren(
      ...documents.filter((one) => (one.state === "planned") === isOpen).map(({ make }) => listItem(make())),
    );
  if (focused !== undefined && focused !== "") document.getElementById(focused)?.focus();
}

function showApprovers(approvers: readonly Approver[]): void {
  const lost = element<HTMLSelectElement>("lost");
  const named = lost.value;
  lost.replaceChildren(
    ...approvers.map(({ id, name, suspended }) => {
      const words = suspended === undefined ? `${name} (${id})` : `${name} (${id}, suspended)`;
      return new Option(words, id, false, id === named);
    }),
  );
  const select = element<HTMLSelectElement>("approver");
  const chosen = select.value === "" ? (localStorage.getItem(LAST_APPROVER) ?? "") : select.value;
  select.replaceChildren(
    ...approvers
      .filter(({ key, suspended }) => key === "passkey" && suspended === undefined)
      .map(({ id, name, roles, credentialId }) => {
        const option = new Option(`${name} (${roles.join(", ")})`, id, false, id === chosen);
        option.dataset["credential"] = credentialId;
        return option;
      }),
  );
}

function showSwitch({ frozen, breakGlass, trouble }: State): void {
  const sentences = [
    frozen === undefined
      ? "Nothing is frozen. One person can freeze; two people thaw."
      : `Everything critical is frozen since ${when(frozen.since)} by ${frozen.by}: ${frozen.reason}`,
    ...(breakGlass === undefined ? [] : [`The caps are lifted until ${when(breakGlass.until)}: ${breakGlass.reason}`]),
    ...(trouble === undefined ? [] : [`${trouble.message}.`]),
  ];
  element("switch-text").textContent = sentences.join(" ");
  element<HTMLButtonElement>("freeze").disabled = frozen !== undefined;
}

function manifestCard(manifest: Manifest): HTMLElement {
  const header = JSON.parse(manifest.header) as Readonly<Record<string, unknown>>;
  const card = cardOf(manifest, [
    ["Meters", manifest.targets.toLocaleString()],
    ["Load at risk", `${(manifest.loadAtRiskW / 1000).toLocaleString()} kW`],
    ["Class", manifest.commandClass],
    ...(header["doubted"] === undefined
      ? []
      : [["Not believed", `${Number(header["doubted"])} of these meters: their trust scores are low`] as const]),
    ["Window", `${when(Number(header["notBefore"]))} to ${when(Number(header["notAfter"]))}`],
    ["Reason", `${String(header["reason"])} ${String(header["workOrder"])}`],
    ["Dispersion", JSON.stringify(header["dispersion"])],
    ["Waves", JSON.stringify(header["waves"])],
    ["Parameters", JSON.stringify(header["operation"])],
    ["Done", `${manifest.progress.executed} executed, ${manifest.progress.open} sealed and not answered`],
  ]);
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = "The meters";
  const label = document.createElement("label");
  label.textContent = "Search ";
  const search = document.createElement("input");
  search.id = `search-${manifest.hash}`;
  search.placeholder = "system title, feeder or transformer";
  label.append(search);
  const table = document.createElement("table");
  const look = async (): Promise<void> => {
    const { targets } = await call<{ readonly targets: readonly Readonly<Record<string, unknown>>[] }>("/api/targets", {
      hash: manifest.hash,
      search: search.value,
    });
    table.replaceChildren(
      row("th", ["System title", "Feeder", "Transformer", "W", "Wave", "Delay (s)"]),
      ...targets.map((target) =>
        row(
          "td",
          ["systemTitle", "feeder", "transformer", "loadW", "wave", "delaySeconds"].map((name) => String(target[name])),
        ),
      ),
    );
  };
  details.addEventListener("toggle", () => details.open && void look().catch(complain));
  search.addEventListener("input", () => void look().catch(complain));
  details.append(summary, label, table);
  card.append(details);
  return card;
}

function changeCard(change: Change): HTMLElement {
  return cardOf(change, [
    ["Kind", change.kind],
    ["Reason", change.reason],
    ["Expires", when(change.expiresAt)],
  ]);
}

function cardOf(of: Document, facts: readonly (readonly [string, string])[]): HTMLElement {
  const card = document.createElement("article");
  const title = document.createElement("h3");
  title.textContent = of.words;
  const list = document.createElement("dl");
  const approved = of.approvedBy.length === 0 ? "nobody yet" : of.approvedBy.join(", ");
  const rows: readonly (readonly [string, string])[] = [
    ["Asked for by", of.requester],
    ...facts,
    ["Approved by", `${approved}; it takes ${of.people}`],
    ["State", of.missing === undefined ? of.state : `${of.state}: ${of.missing}`],
    ["SHA-384", of.hash],
  ];
  for (const [name, value] of rows) {
    const term = document.createElement("dt");
    term.textContent = name;
    const description = document.createElement("dd");
    description.textContent = value;
    if (name === "SHA-384") description.className = "hash";
    list.append(term, description);
  }
  card.append(title, list);
  if (of.state === "planned") {
    const button = document.createElement("button");
    button.type = "button";
    button.id = `sign-${of.hash}`;
    button.textContent = "Sign with passkey";
    button.setAttribute("aria-label", `Sign with passkey: ${of.words}`);
    button.addEventListener("click", () => void act(() => approve(of.hash)));
    card.append(button);
  }
  return card;
}

function row(kind: "td" | "th", cells: readonly string[]): HTMLTableRowElement {
  const line = document.createElement("tr");
  for (const text of cells) {
    const cell = document.createElement(kind);
    cell.textContent = text;
    line.append(cell);
  }
  return line;
}

function listItem(content: Node): HTMLLIElement {
  const item = document.createElement("li");
  item.append(content);
  return item;
}

/** Has the person that is chosen sign a statement, which the custodian has worded. */
async function signed(decision: "approve" | "freeze" | "lost", hash: string, lost = ""): Promise<string> {
  const option = element<HTMLSelectElement>("approver").selectedOptions[0];
  if (option === undefined) throw new Error("Nobody with a passkey has been enrolled yet.");
  localStorage.setItem(LAST_APPROVER, option.value);
  const { statement } = await call<{ readonly statement: string }>("/api/statement", {
    decision,
    hash,
    lost,
    approver: option.value,
  });
  const challenge = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(statement));
  const credential = (await navigator.credentials.get({
    publicKey: {
      challenge,
      rpId: "localhost",
      userVerification: "required",
      allowCredentials: [{ type: "public-key", id: fromHex(option.dataset["credential"] ?? "") }],
    },
  })) as PublicKeyCredential;
  const response = credential.response as AuthenticatorAssertionResponse;
  return JSON.stringify({
    statement: JSON.parse(statement) as unknown,
    proof: {
      kind: "passkey",
      authenticatorData: toHex(response.authenticatorData),
      clientData: toHex(response.clientDataJSON),
      signature: toHex(response.signature),
    },
  });
}

async function approve(hash: string): Promise<string> {
  const { missing, executed } = await call<{ readonly missing?: string; readonly executed: boolean }>("/api/approve", {
    approval: await signed("approve", hash),
  });
  if (executed) return "Approved, and done.";
  return missing === undefined ? "Approved." : `Your approval was taken: ${missing}.`;
}

async function freeze(): Promise<string> {
  const reason = element<HTMLInputElement>("reason").value || "the kill switch on the custodian's page";
  await call("/api/freeze", { approval: await signed("freeze", ""), reason });
  return "Everything critical is frozen.";
}

async function reportLoss(): Promise<string> {
  const lost = element<HTMLSelectElement>("lost").value;
  const { code } = await call<{ readonly code: string }>("/api/lost-key", {
    approval: await signed("lost", "", lost),
    lost,
  });
  location.hash = `invitation=${code}`;
  return "The key is suspended. Its person makes another one here now, within a quarter of an hour.";
}

async function register(code: string): Promise<string> {
  const invited = await call<{ readonly id: string; readonly name: string; readonly challenge: string }>(
    "/api/invitation",
    { code },
  );
  const credential = (await navigator.credentials.create({
    publicKey: {
      challenge: fromHex(invited.challenge),
      rp: { id: "localhost", name: "Meterkeep custodian" },
      user: { id: new TextEncoder().encode(invited.id), name: invited.id, displayName: invited.name },
      // -257 is there because browsers warn without it; the custodian takes ES256 only.
      pubKeyCredParams: [
        { type: "public-key", alg: -7 },
        { type: "public-key", alg: -257 },
      ],
      authenticatorSelection: { userVerification: "required", residentKey: "preferred" },
      attestation: "none",
    },
  })) as PublicKeyCredential;
  const response = credential.response as AuthenticatorAttestationResponse;
  const { enrolled } = await call<{ readonly enrolled: boolean }>("/api/register", {
    code,
    attestationObject: toHex(response.attestationObject),
    clientData: toHex(response.clientDataJSON),
  });
  location.hash = "";
  element("invitation").hidden = true;
  return enrolled
    ? `${invited.name} can approve from now on.`
    : "Your passkey is made. Two approvers must agree to it now.";
}

async function act(what: () => Promise<string>): Promise<void> {
  try {
    notice("Waiting for your passkey…");
    notice(await what());
  } catch (error) {
    complain(error);
  }
  await refresh().catch(complain);
}

function complain(error: unknown): void {
  notice(error instanceof Error ? error.message : String(error));
}

const invitationIn = (): string => /^#invitation=([\w-]+)$/.exec(location.hash)?.[1] ?? "";

async function invitation(): Promise<void> {
  const code = invitationIn();
  element("invitation").hidden = code === "";
  if (code === "") return;
  const { name, roles, replaces } = await call<{
    readonly name: string;
    readonly roles: readonly string[];
    readonly replaces?: string;
  }>("/api/invitation", { code });
  const instead = replaces === undefined ? "" : `, in the place of the key ${replaces}, which is lost`;
  element("invitation-text").textContent = `${name}, with the roles ${roles.join(", ")}${instead}.`;
}

element("register").addEventListener("click", () => void act(() => register(invitationIn())));
element("freeze").addEventListener("click", () => void act(freeze));
element("report").addEventListener("click", () => void act(reportLoss));
addEventListener("hashchange", () => void invitation().catch(complain));
await invitation().catch(complain);
await refresh().catch(complain);
setInterval(() => void refresh().catch(complain), REFRESH_MILLISECONDS);
