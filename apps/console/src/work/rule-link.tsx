import { Link } from "@tanstack/react-router";
import { Fragment } from "react";

/** Ids of rules, each the way to what it says, what holds now, and what it refused last. */
export function RuleLinks({ rules }: { rules: readonly string[] }) {
  return rules.map((rule, at) => (
    <Fragment key={rule}>
      {at === 0 ? null : ", "}
      <Link to="/rules" hash={rule} className="rule-link">
        {rule}
      </Link>
    </Fragment>
  ));
}
