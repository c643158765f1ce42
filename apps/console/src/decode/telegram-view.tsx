import { type Reading, type Refusal, securityInWords, shownTime, shownValue, type Telegram } from "@meterkeep/dlms";
import { IconAlertTriangle, IconLock, IconLockOpen, IconShieldCheck } from "@tabler/icons-react";
import { formatCount, formatGiven } from "../format/quantity.ts";
import { asSentence } from "../format/words.ts";
import { keyed } from "../shell/keyed.ts";
import { Amount } from "../shell/quantity.tsx";
import { ScrollRegion } from "../shell/scroll-region.tsx";

/** One decoded telegram: who sent it, what protected it, what it says, what to mind. */
export function TelegramView({ telegram }: { telegram: Telegram }) {
  const { meter, security, notification, readings, raw, objects, warnings, layout } = telegram;
  const Icon = security.authentication === "verified" ? IconShieldCheck : security.encrypted ? IconLock : IconLockOpen;
  const timed = readings.some(({ time }) => time !== null);
  return (
    <section className="panel" aria-label="Decoded telegram">
      <div className="panel-head">
        <h2>{meter.number ?? meter.systemTitle ?? meter.logicalDeviceName ?? "A meter that does not say its name"}</h2>
        <span className="dim">
          {meter.maker === null ? "" : `${meter.maker.flag}${meter.maker.name === null ? "" : `, ${meter.maker.name}`}`}
        </span>
      </div>
      <div className="panel-body">
        <p className={`security ${security.authentication === "verified" ? "tone-trusted" : "tone-degraded"}`}>
          <Icon size={18} aria-hidden /> {securityInWords(security)}
        </p>
        <dl className="facts telegram-facts">
          <Fact name="System title" value={meter.systemTitle} mono />
          <Fact name="Sent at" value={shownTime(notification) || null} />
          <Fact
            name="Counter"
            value={security.invocationCounter === null ? null : formatCount(security.invocationCounter)}
          />
          <Fact name="Cipher" value={security.cipher} />
          <Fact name="Claims suite" value={security.claimedSuite === null ? null : String(security.claimedSuite)} />
          <Fact name="Layout" value={layout.title} />
        </dl>
        {warnings.length === 0 ? null : (
          <ul className="telegram-warnings">
            {warnings.map(({ code, message }) => (
              <li key={`${code} ${message}`}>
                <IconAlertTriangle size={15} aria-hidden />
                <span>
                  {asSentence(message)} <code className="dim">{code}</code>
                </span>
              </li>
            ))}
          </ul>
        )}
      </div>
      {readings.length === 0 ? null : (
        <ScrollRegion className="scroll-x readings-scroll" label="Readings">
          <table>
            <thead>
              <tr>
                <th scope="col">OBIS</th>
                <th scope="col">What</th>
                <th scope="col" className="number">
                  Value
                </th>
                {timed ? <th scope="col">Time</th> : null}
              </tr>
            </thead>
            <tbody>
              {keyed(readings).map(({ key, item }) => (
                <tr key={key}>
                  <td>
                    <code>{item.obis}</code>
                  </td>
                  <td>{item.name}</td>
                  <td className="number">
                    <Amount of={amountOf(item)} />
                  </td>
                  {timed ? <td className="nowrap">{shownTime(item) || "–"}</td> : null}
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollRegion>
      )}
      {raw.length === 0 ? null : (
        <details className="panel-body">
          <summary>{raw.length} values without a known meaning, as they came</summary>
          <table>
            <tbody>
              {raw.map(({ path, type, value }) => (
                <tr key={path}>
                  <td>
                    <code>{path}</code>
                  </td>
                  <td>{type}</td>
                  <td>{String(value)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      )}
      {objects.length === 0 ? null : <p className="panel-body dim">It lists {objects.length} objects of the meter.</p>}
    </section>
  );
}

function Fact({ name, value, mono = false }: { name: string; value: string | null; mono?: boolean }) {
  if (value === null) return null;
  return (
    <>
      <dt>{name}</dt>
      <dd>{mono ? <code>{value}</code> : value}</dd>
    </>
  );
}

/** What was meant to be a telegram and gave no readings, and where it went wrong. */
export function RefusalView({ refusal }: { refusal: Refusal }) {
  return (
    <section className="panel refusal" aria-label="Refused telegram">
      <div className="panel-head">
        <h2>
          <IconAlertTriangle size={16} aria-hidden /> Refused
        </h2>
        <code className="dim">{refusal.code}</code>
      </div>
      <p className="panel-body">
        {asSentence(refusal.message)} <span className="dim">At octet {refusal.offset}.</span>
      </p>
    </section>
  );
}

function amountOf(reading: Reading) {
  const value = shownValue(reading);
  return formatGiven(typeof value === "number" ? value : String(value ?? "–"), reading.unit ?? undefined);
}
