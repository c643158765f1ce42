import type { MeterDetail } from "@meterkeep/api";
import { IconCheck, IconX } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { asSentence } from "../format/words.ts";
import { stepWords } from "../session/ladder-rows.ts";
import { WallClock } from "../shell/marks.tsx";
import { Panel } from "../shell/panel.tsx";
import { When } from "../shell/when.tsx";

const GRADES = {
  none: "not taken over",
  exposed: "exposed: somebody with the factory keys could have listened",
  shielded: "shielded: nobody could have listened",
  agreed: "agreed: what somebody could have listened to leads to no key",
} as const;

const STATES = { done: "done", current: "under way", ahead: "ahead", failed: "failed" } as const;

/** How the keys of this meter became the utility's own, one step after the other. */
export function Takeover({ takeover }: { takeover: MeterDetail["takeover"] }) {
  // A meter that was caught keeping a key stopped at the step that shows it.
  const caught = takeover.verdict.startsWith("keeps");
  return (
    <Panel
      name="takeover"
      title="Takeover"
      beside={
        <>
          <WallClock />
          <span className="dim">{takeover.verdict.replaceAll("-", " ")}</span>
        </>
      }
    >
      <div className="panel-body">
        <p className="why">{asSentence(takeover.sentence)}</p>
        {takeover.steps.length === 0 ? null : (
          <ol className="steps">
            {stepsShown(takeover.steps, caught).map(({ step, sentence, state, at, session }) => (
              <li key={step} className={`takeover-step ${state}`}>
                <span className="step-sign" aria-hidden="true">
                  {state === "done" ? <IconCheck size={12} /> : state === "failed" ? <IconX size={12} /> : null}
                </span>
                <div>
                  <p className="step-name">
                    {stepWords(step)} <span className="visually-hidden">({STATES[state]})</span>
                  </p>
                  <p className="step-says">{asSentence(sentence)}</p>
                  {at === undefined && session === undefined ? null : (
                    <p className="step-when">
                      {at === undefined ? null : <When at={at} seconds />}{" "}
                      {session === undefined ? null : (
                        <Link to="/sessions/$id" params={{ id: session }}>
                          session
                        </Link>
                      )}
                    </p>
                  )}
                </div>
              </li>
            ))}
          </ol>
        )}
        {takeover.grade === "none" ? null : <p className="dim">{GRADES[takeover.grade]}</p>}
      </div>
    </Panel>
  );
}

type Step = MeterDetail["takeover"]["steps"][number];

function stepsShown(steps: readonly Step[], caught: boolean): readonly Step[] {
  return caught ? steps.map((step) => (step.state === "current" ? { ...step, state: "failed" } : step)) : steps;
}
