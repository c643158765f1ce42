/** Who there is: what each may do, what of theirs is open, and the one act that ends all of it. */
import type { PersonView } from "@meterkeep/api";
import { useQuery, useSuspenseQuery } from "@tanstack/react-query";
import { meQuery, peopleQuery } from "../api/queries.ts";
import { DataTable } from "../shell/data-table.tsx";
import { Empty } from "../shell/empty.tsx";
import { Failure } from "../shell/failure.tsx";
import { PageHead } from "../shell/page-head.tsx";
import { usePageTitle } from "../shell/page-title.ts";
import { Panel } from "../shell/panel.tsx";
import { When } from "../shell/when.tsx";
import { AdmitPerson } from "./admit-person.tsx";
import { PersonActs } from "./person-acts.tsx";
import { RoleTable } from "./role-table.tsx";
import "../pki/pki.css";
import "./people.css";

export function PeoplePage() {
  usePageTitle("People");
  const { data: me } = useSuspenseQuery(meQuery);
  const { data, error, refetch } = useQuery(peopleQuery);
  const admits = me.scopes.includes("people");
  const [here, left] = [
    data?.people.filter(({ leftAt }) => leftAt === undefined) ?? [],
    data?.people.filter(({ leftAt }) => leftAt !== undefined) ?? [],
  ];
  return (
    <>
      <PageHead
        title="People"
        lede="Who asks does not approve, who approves admits nobody, and who audits changes nothing. Every act stands in the ledger under a name that is never given again."
      />
      {error === null ? null : <Failure error={error} retry={() => void refetch()} />}
      <div className="people-stack">
        <Panel name="here" title="Here">
          <DataTable
            label="People and what they may do"
            columns={["Name", "Roles", "Approves at the custodian", "Open", "Seen", ...(admits ? ["Acts"] : [])]}
          >
            {here.map((person) => (
              <tr key={person.id}>
                <th scope="row">
                  <strong>{person.name}</strong>
                  {person.id === me.id ? <span className="dim"> you</span> : null}
                </th>
                <td>{person.roles.join(", ")}</td>
                <td>{STANDING[person.approver]}</td>
                <td>{openWords(person)}</td>
                <td>{person.lastSeenAt === undefined ? "never" : <When at={person.lastSeenAt} />}</td>
                {admits ? <td>{person.id === me.id ? null : <PersonActs person={person} />}</td> : null}
              </tr>
            ))}
          </DataTable>
        </Panel>
        {admits ? <AdmitPerson /> : null}
        <RoleTable />
        <Panel name="left" title="Have left">
          <div className="panel-body">
            {left.length === 0 ? (
              <Empty>Nobody yet. Their names stay, for the ledger's sake.</Empty>
            ) : (
              <ul className="pki-tree">
                {left.map(({ id, name, leftAt = "", leftBy, approver, handhelds }) => (
                  <li key={id}>
                    <strong>{name}</strong>{" "}
                    <span className="dim">
                      <When at={leftAt} /> {leftBy === undefined ? "" : `, by ${leftBy}`}
                    </span>
                    {approver === "approver" || handhelds.length > 0 ? (
                      <em> Something of theirs is still open at the custodian: let them go again.</em>
                    ) : null}
                  </li>
                ))}
              </ul>
            )}
          </div>
        </Panel>
      </div>
    </>
  );
}

const STANDING: Readonly<Record<PersonView["approver"], string>> = {
  none: "no",
  approver: "yes",
  suspended: "suspended",
  unknown: "the custodian does not answer",
};

function openWords({ sessions, passkeys, tokens, handhelds }: PersonView): string {
  const parts = [
    words(sessions, "session"),
    words(passkeys, "passkey"),
    words(tokens, "token"),
    ...handhelds.map((name) => `handheld ${name}`),
  ].filter((text) => text !== "");
  return parts.length === 0 ? "nothing" : parts.join(", ");
}

function words(count: number, what: string): string {
  return count === 0 ? "" : `${count} ${what}${count === 1 ? "" : "s"}`;
}
