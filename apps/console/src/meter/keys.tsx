import type { MeterDetail } from "@meterkeep/api";
import { useState } from "react";
import { DataTable } from "../shell/data-table.tsx";
import { Empty } from "../shell/empty.tsx";
import { WallClock } from "../shell/marks.tsx";
import { Panel } from "../shell/panel.tsx";
import { When } from "../shell/when.tsx";
import { keysByUse } from "./key-order.ts";

const PURPOSES: Readonly<Record<string, string>> = {
  GUEK: "encrypts, one meter",
  GBEK: "encrypts, to all",
  GAK: "authenticates",
  KEK: "master, wraps the others",
};

/** Keys by purpose and version. Their octets are in the custodian's process and nowhere else. */
export function Keys({ keys }: { keys: MeterDetail["keys"] }) {
  const { inUse, others } = keysByUse(keys);
  const [all, setAll] = useState(inUse.length === 0);
  return (
    <Panel name="keys" title="Keys" beside={<WallClock />}>
      <p className="keys-note dim">
        Purpose, version and state are no secret. The octets are, and never leave the custodian.
      </p>
      {keys.length === 0 ? (
        <div className="panel-body">
          <Empty command="npx meterkeep status">The custodian describes no key of this meter.</Empty>
        </div>
      ) : (
        <DataTable
          label="Keys by purpose and version"
          columns={["Purpose", { number: "Version" }, "State", "Proven"]}
          inset
          below={
            others.length === 0 ? undefined : (
              <button type="button" className="text-button" aria-expanded={all} onClick={() => setAll(!all)}>
                {all ? "Only those in use" : `Show ${others.length} not in use`}
              </button>
            )
          }
        >
          {(all ? [...inUse, ...others] : inUse).map(({ purpose, version, state, origin, createdAt, provenAt }) => (
            <tr key={`${purpose} ${version}`} className={state === "active" ? undefined : "dim"}>
              <td>
                <strong>{purpose}</strong>
                {state === "active" ? <span className="key-says">{PURPOSES[purpose] ?? ""}</span> : null}
              </td>
              <td className="number">{version}</td>
              <td>
                {state}
                <span className="key-says">
                  {origin} <When at={createdAt} />
                </span>
              </td>
              <td>
                {provenAt !== undefined ? (
                  <When at={provenAt} />
                ) : state !== "active" ? (
                  "–"
                ) : purpose === "GBEK" ? (
                  // What everybody has proves nobody: no meter protects an answer with it.
                  <span className="dim">cannot be</span>
                ) : (
                  "not yet"
                )}
              </td>
            </tr>
          ))}
        </DataTable>
      )}
    </Panel>
  );
}
