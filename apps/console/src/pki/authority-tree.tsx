import type { AuthorityView, RevocationEffect } from "@meterkeep/api";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { authoritiesQuery, revocationEffectQuery } from "../api/queries.ts";
import { formatCount } from "../format/quantity.ts";
import { Command } from "../shell/command.tsx";
import { Empty } from "../shell/empty.tsx";
import { Failure } from "../shell/failure.tsx";
import { Panel } from "../shell/panel.tsx";

const WHERE = { vault: "key in the vault", token: "key in a token", offline: "key in a drawer" } as const;

/** The tree of authorities; of each, on demand, what revoking it would do. */
export function AuthorityTree() {
  const { data, error, refetch } = useQuery(authoritiesQuery);
  const [asked, setAsked] = useState<string | undefined>(undefined);
  const all = data?.authorities ?? [];
  return (
    <Panel name="authorities" title="Authorities">
      <div className="panel-body">
        {error === null ? null : <Failure error={error} retry={() => void refetch()} />}
        {data !== undefined && all.length === 0 ? (
          <Empty command="npx meterkeep pki authorities">There is no authority yet.</Empty>
        ) : null}
        <Branch all={all} parent={undefined} asked={asked} ask={setAsked} />
      </div>
    </Panel>
  );
}

function Branch(props: {
  all: readonly AuthorityView[];
  parent: string | undefined;
  asked: string | undefined;
  ask: (authority: string | undefined) => void;
}) {
  const { all, parent, asked, ask } = props;
  const below = all.filter((one) => one.parent === parent);
  if (below.length === 0) return null;
  return (
    <ul className="pki-tree">
      {below.map((one) => (
        <li key={one.authority}>
          <p>
            <strong>{one.name}</strong> <span className="dim">{`${one.profile}, ${WHERE[one.keyPlace]}`}</span>{" "}
            {one.state === "standing" ? null : <em>{`${one.state}: ${one.why ?? ""}`}</em>}
          </p>
          <p className="pki-key">
            <code>{one.authority}</code>
            {one.parent === undefined ? null : (
              <button
                type="button"
                className="text-button"
                aria-expanded={asked === one.authority}
                onClick={() => ask(asked === one.authority ? undefined : one.authority)}
              >
                What if it were revoked?<span className="visually-hidden"> {one.name}</span>
              </button>
            )}
          </p>
          {asked === one.authority ? <Effect authority={one.authority} /> : null}
          <Branch {...props} parent={one.authority} />
        </li>
      ))}
    </ul>
  );
}

function Effect({ authority }: { authority: string }) {
  const { data, error } = useQuery(revocationEffectQuery(authority));
  if (error !== null) return <Failure error={error} />;
  if (data === undefined) return <p role="status">Looking…</p>;
  return (
    <div className="pki-effect" role="status">
      <dl className="facts">
        <dt>Meters</dt>
        <dd>{formatCount(data.meters)}</dd>
        <dt>Certificates</dt>
        <dd>{formatCount(data.certificates)}</dd>
        <dt>Load</dt>
        <dd>{loadText(data)}</dd>
        <dt>Islands</dt>
        <dd>{data.islands.map(({ island, meters }) => `${island} (${formatCount(meters)})`).join(", ") || "none"}</dd>
        <dt>To enrol anew</dt>
        <dd>
          {data.hoursToEnrol === undefined
            ? "too few meters enrolled in 30 days to say"
            : `${data.hoursToEnrol.toFixed(1)} hours at the measured pace`}
        </dd>
      </dl>
      <p>Nothing has been changed. To plan it:</p>
      <Command text={`npx meterkeep pki revoke-authority ${authority}`} />
    </div>
  );
}

function loadText({ loadW, metersWithoutLoad }: RevocationEffect): string {
  const rest = metersWithoutLoad === 0 ? "" : `, ${formatCount(metersWithoutLoad)} meters not measured yet`;
  return `${(loadW / 1000).toFixed(1)} kW${rest}`;
}
