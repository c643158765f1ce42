import { Link } from "@tanstack/react-router";

/** A meter by the name that people give it; its page tells the rest. */
export function MeterLink({ systemTitle, label }: { systemTitle: string; label: string }) {
  return (
    <Link to="/meters/$systemTitle" params={{ systemTitle }}>
      {label}
    </Link>
  );
}
