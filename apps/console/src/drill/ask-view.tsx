import type { DrillReport } from "@meterkeep/api";
import { IconKeyOff, IconTicketOff } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { asSentence } from "../format/words.ts";
import { OctetView } from "../session/octet-view.tsx";
import { Panel } from "../shell/panel.tsx";

type Item = DrillReport["items"][number];

/** One ask: what was to be sealed, in full, and what the custodian missed. */
export function AskView({
  item,
  label,
  running,
}: {
  item: Item | undefined;
  label: string | undefined;
  running: boolean;
}) {
  if (item === undefined)
    return (
      <Panel name="ask" title="One ask">
        <p className="panel-body dim">
          {running ? "The asks stand here with their octets as soon as they are answered." : "This ask was not made."}
        </p>
      </Panel>
    );
  const isKey = item.meter === undefined || item.apdu === undefined;
  return (
    <section className="panel ask" aria-labelledby="ask-title">
      <div className="panel-head">
        <h2 id="ask-title">{item.ask}</h2>
        <span className={`outcome ${item.outcome === "sealed" ? "tone-quarantined" : "tone-trusted"}`}>
          {item.outcome}
        </span>
      </div>
      <div className="panel-body">
        <p className="ask-why">
          {isKey ? <IconKeyOff size={22} aria-hidden /> : <IconTicketOff size={22} aria-hidden />}
          <span>
            <strong>
              {asSentence(item.message ?? (item.outcome === "sealed" ? "it was sealed" : "it was refused"))}
            </strong>
            {item.code === undefined ? null : (
              <>
                {" "}
                <code>{item.code}</code>
              </>
            )}
          </span>
        </p>
        <dl className="facts">
          {isKey ? null : (
            <>
              <dt>Command token</dt>
              <dd>
                <span className="token-missing">none</span>
              </dd>
              <dt>It would name</dt>
              <dd className="dim">what, which meters, when, and who approved, with their signatures</dd>
            </>
          )}
          {item.meter === undefined ? null : (
            <>
              <dt>Meter</dt>
              <dd>
                <Link to="/meters/$systemTitle" params={{ systemTitle: item.meter }}>
                  {label ?? item.meter}
                </Link>
              </dd>
            </>
          )}
          {item.supply === undefined ? null : (
            <>
              <dt>Read back</dt>
              <dd>
                {{ connected: "supplied", disconnected: "dark", unknown: "not known" }[item.supply]}{" "}
                {item.supplySession === undefined ? null : (
                  <Link to="/sessions/$id" params={{ id: item.supplySession }}>
                    session
                  </Link>
                )}
              </dd>
            </>
          )}
        </dl>
        {item.apdu === undefined ? null : (
          <>
            <h3 className="ask-apdu">The APDU it was asked to seal</h3>
            <OctetView wire={undefined} plain={item.apdu} decoded={item.decoded} />
          </>
        )}
      </div>
    </section>
  );
}
