import { Link } from "@tanstack/react-router";

/** Ids of rules, each the way to what it says, what holds now, and what it refused last. */
export function RuleLinks({ rules }: { rules: readonly string[] }) {
  return rules.map((rule) => (
    <Link key={rule} to="/rules" hash={rule} className="rule-link">
      {rule}
    </Link>
  ));
}
