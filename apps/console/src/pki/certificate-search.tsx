import { CERTIFICATE_STATE_WORDS, type CertificateList } from "@meterkeep/api";
import { useInfiniteQuery } from "@tanstack/react-query";
import { type FormEvent, useEffect, useState } from "react";
import { certificatesQuery } from "../api/queries.ts";
import { DataTable } from "../shell/data-table.tsx";
import { Empty } from "../shell/empty.tsx";
import { Failure } from "../shell/failure.tsx";
import { Panel } from "../shell/panel.tsx";
import { ShowMore } from "../shell/show-more.tsx";
import { When } from "../shell/when.tsx";

/** What is typed is a system title, a serial number, a key or the beginning of a subject: its form says which. */
export function asksFor(text: string): Readonly<Record<string, string>> {
  const plain = text.trim();
  const hex = plain.replaceAll(/[\s:]/g, "");
  if (plain === "") return {};
  if (/^[0-9A-Fa-f]{16}$/.test(hex)) return { systemTitle: hex.toUpperCase() };
  if (/^[0-9A-Fa-f]{40}$/.test(hex)) return { key: hex.toLowerCase() };
  if (/^([0-9A-Fa-f]{2}){8,20}$/.test(hex)) return { serial: hex.toLowerCase() };
  return { subject: plain };
}

/** Certificates, those that end first before the others. */
export function CertificateSearch({ within }: { within: number | undefined }) {
  const [text, setText] = useState("");
  const [state, setState] = useState("");
  const [asked, setAsked] = useState<Readonly<Record<string, string>>>({});
  useEffect(() => {
    if (within !== undefined) setAsked({ endsWithinDays: String(within), state: "valid" });
  }, [within]);
  const { data, error, fetchNextPage, hasNextPage, isFetchingNextPage, refetch } = useInfiniteQuery({
    queryKey: ["certificates", asked],
    queryFn: ({ pageParam, client }) => client.fetchQuery({ ...certificatesQuery(asked, pageParam), staleTime: 0 }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }: CertificateList) => next,
  });
  const search = (event: FormEvent): void => {
    event.preventDefault();
    setAsked({ ...asksFor(text), ...(state !== "" && { state }) });
  };
  const found = data?.pages.flatMap(({ certificates }) => certificates) ?? [];
  return (
    <Panel name="search" title="Certificates">
      <form className="panel-body pki-search" onSubmit={search}>
        <label>
          Meter, serial number, key or subject
          <input className="field" value={text} onChange={(event) => setText(event.currentTarget.value)} />
        </label>
        <label>
          State
          <select className="field" value={state} onChange={(event) => setState(event.currentTarget.value)}>
            <option value="">any</option>
            {CERTIFICATE_STATE_WORDS.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
        <button type="submit" className="button">
          Search
        </button>
      </form>
      {error === null ? null : <Failure error={error} retry={() => void refetch()} />}
      {data !== undefined && found.length === 0 ? <Empty>No certificate is like that.</Empty> : null}
      {found.length === 0 ? null : (
        <DataTable
          label="Certificates found"
          columns={["Subject", "Profile", "State", "Ends", "Serial number", "Ordered by"]}
        >
          {found.map((one) => (
            <tr key={`${one.authority}/${one.serial}`}>
              <th scope="row">{one.subject}</th>
              <td>{one.profile}</td>
              <td>{one.reason === undefined ? one.state : `${one.state}: ${one.reason}`}</td>
              <td>{one.notAfter === undefined ? "never" : <When at={one.notAfter} />}</td>
              <td>
                <code>{one.serial}</code>
              </td>
              <td>{one.requester}</td>
            </tr>
          ))}
        </DataTable>
      )}
      {hasNextPage ? <ShowMore isFetching={isFetchingNextPage} show={() => void fetchNextPage()} /> : null}
    </Panel>
  );
}
