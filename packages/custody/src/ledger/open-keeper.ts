import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type ApprovedChange,
  type Approver,
  DEFAULT_KEEPER_SETTINGS,
  edgeOf,
  type KeeperPorts,
  type KeeperSettings,
  LedgerKeeper,
  type LedgerReads,
  type NamedWitnesses,
  rootOf,
  type TreeHead,
  type Witness,
} from "@meterkeep/ledger";
import { CustodyError } from "../errors.ts";
import type { CustodyStore } from "../store/store.ts";
import type { OpenedVault } from "../vault/open-vault.ts";
import { stateNote } from "../vault/state-note.ts";
import { ledgerSigners } from "./ledger-signer.ts";
import { LEDGER_FOLDER, nearWitness } from "./near-witness.ts";
import type { PatrolSettings } from "./patrol.ts";

/** How the custodian's ledger is kept. */
export interface LedgerOptions {
  readonly settings?: Partial<KeeperSettings>;
  readonly patrol?: Partial<PatrolSettings>;
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
    Pick<KeeperPorts, "head" | "signableHead" | "append" | "renewNodes" | "keys" | "now"> & {
      readonly stateFolder: string;
      readonly options: LedgerOptions;
      /** Hears of what should not happen. */
      readonly onFailure: (error: unknown) => void;
    },
): Promise<LedgerKeeper> {
  const { vault, signing, head, signableHead, append, renewNodes, keys, now, options } = parts;
  const folder = join(parts.stateFolder, LEDGER_FOLDER);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return new LedgerKeeper({
    reads: store.ledger,
    checkpoints: store.checkpoints,
    witnesses: [nearWitness(parts.stateFolder), ...(options.witnesses ?? [])],
    head,
    signableHead,
    append,
    ...(renewNodes && { renewNodes }),
    signer: ledgerSigners(vault, store.installation, signing),
    keys,
    now,
    settings: { ...DEFAULT_KEEPER_SETTINGS, ...options.settings },
    approvers: options.approvers ?? [],
    approved: await readApproved(join(folder, APPROVED)),
    named: namedWitnesses(folder, vault, parts.onFailure),
  });
}

/** The file beside the near witness that has the names of all. */
const WITNESSES_FILE = "witnesses.json";

function namedWitnesses(
  folder: string,
  vault: OpenedVault["vault"],
  onFailure: (error: unknown) => void,
): NamedWitnesses {
  const path = join(folder, WITNESSES_FILE);
  const note = stateNote<{ readonly names: string }>({
    path,
    domain: "meterkeep-ledger-witnesses-1",
    fields: { names: "string" },
    vault,
  });
  return {
    read: async () => {
      const found = await note.read();
      if (found === "not ours")
        onFailure(new CustodyError("record-not-authentic", `${path} was not written by this custodian`));
      return found === undefined || found === "not ours" ? [] : (JSON.parse(found.names) as readonly string[]);
    },
    keep: (names) => note.keep({ names: JSON.stringify(names) }),
  };
}

/** Size and root of the ledger as it is stored. */
export async function storedHead(ledger: LedgerReads): Promise<TreeHead> {
  const { frontier } = await edgeOf(ledger);
  return { size: frontier.size, root: rootOf(frontier) };
}

async function readApproved(path: string): Promise<ApprovedChange | undefined> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as ApprovedChange;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
