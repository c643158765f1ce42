/** The guard's rules: what each says, the numbers that hold now, who holds to it, and what it refused last. */
import type { RuleList } from "@meterkeep/api";
import { useQuery } from "@tanstack/react-query";
import { Link, useRouterState } from "@tanstack/react-router";
import { rulesQuery } from "../api/queries.ts";
import { counted } from "../format/quantity.ts";
import { DataTable } from "../shell/data-table.tsx";
import { Failure } from "../shell/failure.tsx";
import { PageHead } from "../shell/page-head.tsx";
import { usePageTitle } from "../shell/page-title.ts";
import { Panel } from "../shell/panel.tsx";
import { When } from "../shell/when.tsx";
import "../pki/pki.css";
import "./work.css";

type Rule = RuleList["rules"][number];

const ENFORCED: Readonly<Record<Rule["enforced"], string>> = {
  custodian: "the custodian",
  "head-end": "the head-end",
  both: "the head-end and the custodian",
};

export function RulesPage() {
  usePageTitle("Rules");
  const { data, error, refetch } = useQuery(rulesQuery);
  const meant = useRouterState({ select: (state) => state.location.hash });
  return (
    <>
      <PageHead
        crumb={<Link to="/work">Work</Link>}
        title="What the guard holds to"
        lede="What the custodian holds to is held whoever owns the head-end. Numbers get tighter at once, and looser when two people have signed it and a day has passed."
      />
      {error === null ? null : <Failure error={error} retry={() => void refetch()} />}
      {data === undefined ? null : (
        <Panel name="rules" title="Rules MC-01 to MC-23">
          <DataTable
            label="The guard's rules"
            columns={["Rule", "Says", "Holds now", "Refused last"]}
            className="rule-table"
          >
            {data.rules.map((rule) => (
              <tr key={rule.id} id={rule.id} className={rule.id === meant ? "meant" : undefined}>
                <th scope="row">
                  <code>{rule.id}</code>
                  <span className="rule-title">{rule.title}</span>
                </th>
                <td>
                  {rule.words}{" "}
                  <span className="dim">
                    {`Held by ${ENFORCED[rule.enforced]}${rule.releasable ? "; another person may release it" : ""}.`}
                  </span>
                </td>
                <td>{rule.now}</td>
                <td>{rule.last === undefined ? "nothing yet" : <Last last={rule.last} />}</td>
              </tr>
            ))}
          </DataTable>
        </Panel>
      )}
    </>
  );
}

function Last({ last: { at, sentence, by, meters, campaign } }: { last: NonNullable<Rule["last"]> }) {
  return (
    <>
      <When at={at} /> {sentence}{" "}
      <span className="dim">
        {counted(meters, "meter")}, asked by {by}
      </span>{" "}
      {campaign === undefined ? null : (
        <Link to="/work/$id" params={{ id: campaign }}>
          campaign<span className="visually-hidden"> of {at}</span>
        </Link>
      )}
    </>
  );
}
