import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type ApprovedChange,
  type Approver,
  DEFAULT_KEEPER_SETTINGS,
  edgeOf,
  type KeeperPorts,
  type KeeperSettings,
  type KeeperState,
  LedgerKeeper,
  type LedgerReads,
  rootOf,
  type TreeHead,
  type Witness,
} from "@meterkeep/ledger";
import type { CustodyStore } from "../store/store.ts";
import type { OpenedVault } from "../vault/open-vault.ts";
import { ledgerSigners } from "./ledger-signer.ts";
import { LEDGER_FOLDER, nearWitness } from "./near-witness.ts";

/** How the custodian's ledger is kept. */
export interface LedgerOptions {
  readonly settings?: Partial<KeeperSettings>;
  /** Besides the file in the state folder, which every custodian has. */
  readonly witnesses?: readonly Witness[];
  readonly approvers?: readonly Approver[];
}

/** What two people have approved, put here by whoever owns the state folder. */
const APPROVED = "approved-change.json";

/** The keeper of the ledger in a store. */
export async function keeperIn(
  store: CustodyStore,
  parts: Pick<OpenedVault, "vault" | "signing"> &
    Pick<KeeperPorts, "head" | "append" | "now"> & { readonly stateFolder: string; readonly options: LedgerOptions },
): Promise<LedgerKeeper> {
  const { vault, signing, head, append, now, options } = parts;
  const folder = join(parts.stateFolder, LEDGER_FOLDER);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return new LedgerKeeper({
    reads: store.ledger,
    checkpoints: store.checkpoints,
    witnesses: [nearWitness(parts.stateFolder), ...(options.witnesses ?? [])],
    head,
    append,
    signer: ledgerSigners(vault, store.installation, signing),
    now,
    settings: { ...DEFAULT_KEEPER_SETTINGS, ...options.settings },
    approvers: options.approvers ?? [],
    approved: await readApproved(join(folder, APPROVED)),
  });
}

/** Size and root of the ledger as it is stored. */
export async function storedHead(ledger: LedgerReads): Promise<TreeHead> {
  const { frontier } = await edgeOf(ledger);
  return { size: frontier.size, root: rootOf(frontier) };
}

/** What people should hear of. */
interface Trouble {
  readonly code: string;
  /** Of at most 1024 characters. */
  readonly message: string;
}

/**
 * What people should hear of: a halt, or else what is wrong with the ledger and on second storage, then a witness that is away. Of two the first
 * gives the code, and its words come first: a witness that somebody took away hides no journal that was written on.
 */
export function troubleOf(
  { halt, witnesses }: Pick<KeeperState, "halt" | "witnesses">,
  ...others: readonly (Trouble | undefined)[]
): Trouble | undefined {
  if (halt !== undefined) return { code: halt.code, message: halt.message.slice(0, MOST_CHARACTERS) };
  const away = witnesses.find(({ state }) => state === "away");
  const witness = away && { code: "ledger-witness-away", message: away.problem ?? away.name };
  const all = [...others, witness].filter((one) => one !== undefined);
  const message = all.map((one) => one.message).join("; besides, ");
  return all[0] && { code: all[0].code, message: message.slice(0, MOST_CHARACTERS) };
}

const MOST_CHARACTERS = 1024;

async function readApproved(path: string): Promise<ApprovedChange | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as ApprovedChange;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
