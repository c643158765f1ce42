import type { CampaignView } from "@meterkeep/api";
import { IconExternalLink } from "@tabler/icons-react";

interface SignLinkProps {
  /** What is signed: a manifest, or a change. */
  readonly manifest: Pick<NonNullable<CampaignView["manifest"]>, "hash" | "page">;
  readonly words: string;
}

/** The way to where it is signed: the custodian's own page, over which this one has no power. */
export function SignLink({ manifest, words }: SignLinkProps) {
  const { hash, page } = manifest;
  return (
    <div className="sign-link">
      <p>
        It is signed on the custodian's own page, which shows the same by itself, under this hash:{" "}
        <code>{hash.slice(0, 16)}…</code>
      </p>
      {page === undefined ? (
        <p className="dim">This custodian has no page: people sign with the command npx meterkeep approve.</p>
      ) : (
        <a className="button primary" href={page} target="_blank" rel="noreferrer">
          <IconExternalLink size={17} aria-hidden /> Sign at the custodian
          <span className="visually-hidden">: {words}</span>
        </a>
      )}
    </div>
  );
}
